"""The folder of `tollgate up`: where its settings, keys, data and logs are. Knows no process.

    gateway.toml    the first part written at each start, the rest kept
    keys.json       the demo tenant's key and the admin key, readable by their owner alone
    state.db, collections/docs/, engine.log, gateway.log

Invariant: a file is replaced whole, or left as it was.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.api.auth import authenticate
from gateway.cli.common import SETTINGS, Failure, by
from gateway.errors import Unauthenticated
from gateway.keyring import issue
from gateway.settings import Settings, load
from gateway.state import State, Tenant
from gateway.state.limits import parse_limit

ROOT = Path(__file__).resolve().parents[2]  # the repository, with the sample documents, the prompts and the small model
MODEL = ROOT / "serving" / "tiny" / "model"
ALIAS, COLLECTION, TENANT = "small", "docs", "demo"
LIMITS = (parse_limit("tokens/day=1000000"),)
ADMIN_KEY = "TOLLGATE_ADMIN_KEY"
YOURS = "# --- Below this line the file is yours: any key of gateway.default.toml that is not set above. ---\n"


@dataclass(frozen=True, slots=True)
class Upstream:
    """The server that answers. `served`: its name for its model; `window`: tokens, only where it does not tell."""

    url: str
    served: str
    tokenizer: Path | None = None
    window: int | None = None
    api_key_env: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens the gateway: a tenant's key and the operator's."""

    key: str
    admin_key: str


class Home:
    """One such folder, made when it is absent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.settings_file = self.folder / SETTINGS.name
        self.engine_log = self.folder / "engine.log"
        self.gateway_log = self.folder / "gateway.log"
        self.keys_file = self.folder / "keys.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Failure(f"{self.folder} cannot be made: {error.strerror}; name another with --state") from error

    def configure(self, upstream: Upstream, port: int, prompts: Path | None = None) -> Settings:
        """Write the settings for this upstream and load them; `prompts` is a folder whose changes are taken up at once,
        instead of the samples. Raises SettingsError on what was added by hand."""
        before = self.settings_file.read_text("utf-8") if self.settings_file.exists() else ""
        own = before.partition(YOURS)[2]
        _replace(self.settings_file, self._ours(upstream, port, prompts) + YOURS + own, 0o644)
        return load(self.settings_file)

    def _ours(self, upstream: Upstream, port: int, prompts: Path | None) -> str:
        tables: dict[str, Mapping[str, object]] = {
            "server": {"port": port},
            "state": {"url": "sqlite:///state.db"},
            "build": {"prompts": str(prompts.resolve()), "watch": True}
            if prompts
            else {"prompts": str(ROOT / "prompts")},
            f"retrieve.{COLLECTION}": {
                "path": str(self.folder / "collections" / COLLECTION),
                "source": str(ROOT / "documents"),
            },
            **_model(upstream),
        }
        head = "# Written by `tollgate up` at each start, down to the line that says so.\n"
        return head + "".join(f"\n[{name}]\n{_toml(table)}" for name, table in tables.items()) + "\n"

    async def credentials(self, state: State) -> Credentials:
        """The demo tenant's key and the admin key: those of the last time where they still open the gateway."""
        kept = json.loads(self.keys_file.read_text()) if self.keys_file.exists() else {}
        now = state.clock.now()
        await state.keys.add_tenant(Tenant(TENANT, LIMITS, now), by())  # a no-op when it is there
        key = kept.get("key", "")
        if not await _opens(state, key):
            key = (await issue(state.keys, by(), TENANT, now)).full
        admin_key = os.environ.get(ADMIN_KEY) or kept.get("admin_key") or f"admin_{secrets.token_hex(32)}"
        _replace(self.keys_file, json.dumps({"key": key, "admin_key": admin_key}), 0o600)
        return Credentials(key, admin_key)


def _model(upstream: Upstream) -> dict[str, Mapping[str, object]]:
    """The sections of the one model."""
    return {
        f"backends.{ALIAS}": {"url": upstream.url, "api_key_env": upstream.api_key_env},
        f"models.{ALIAS}": {
            "backends": [ALIAS],
            "served": upstream.served,
            "tokenizer": str(upstream.tokenizer) if upstream.tokenizer else None,
            "window": upstream.window,
        },
        # Dollars per million tokens, to show what a price does; one's own hardware has other figures.
        f"prices.{ALIAS}": {"input": 0.10, "output": 0.40},
    }


async def _opens(state: State, key: str) -> bool:
    try:
        await authenticate({"authorization": f"Bearer {key}"}, state.keys, state.clock.now())
    except Unauthenticated:
        return False
    return True


def _toml(table: Mapping[str, object]) -> str:
    """Key and value lines. JSON's strings, numbers and lists are TOML's too (TOML 1.0); None is left out."""
    lines = (f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in table.items() if value is not None)
    return "".join(lines)


def _replace(file: Path, text: str, mode: int) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as opened:
        opened.write(text)
    draft.replace(file)
