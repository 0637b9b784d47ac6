"""A key's scopes as JSON text, as the stores keep them. Pure."""

import json
from dataclasses import asdict

from gateway.state.values import Scopes


def dump_scopes(scopes: Scopes) -> str:
    """JSON that leaves out what is neither restricted nor granted."""
    said = {name: value for name, value in asdict(scopes).items() if value not in (None, {})}
    if not scopes.access:
        del said["access"]
    return json.dumps(said)


def load_scopes(text: str | bytes) -> Scopes:
    """What `dump_scopes` wrote."""
    fields = json.loads(text)
    tags = fields.pop("tags", {})
    return Scopes(**{name: tuple(value) for name, value in fields.items()}, tags=tags)
