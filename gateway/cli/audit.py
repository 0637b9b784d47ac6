"""`tollgate audit`: who changed which tenant or key, and how."""

from typing import Annotated, Any

import typer

from gateway.cli.common import SETTINGS, Config, Json, StateDir, settings_of, show, when, with_state
from gateway.state import Change

Subject = Annotated[str | None, typer.Option(help="One key's id or tenant's name; default: all.")]
Most = Annotated[int, typer.Option("--limit", min=1, help="How many rows.")]


def audit(
    subject: Subject = None,
    limit: Most = 50,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """The newest changes first: who, what, to whom."""
    changes = with_state(settings_of(config, state), lambda opened: opened.keys.changes(limit, subject))
    show([_row(change) for change in changes], as_json)


def _row(change: Change) -> dict[str, Any]:
    return {
        "at": when(change.at),
        "by": change.by,
        "action": change.action,
        "subject": change.subject,
        "detail": dict(change.detail),
    }
