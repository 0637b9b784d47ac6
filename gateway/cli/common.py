"""What every command shares: the options that find the settings, the state for the length of a command, a table.

`--config FILE` names the settings; `--state DIR` is the folder of `tollgate up` and stands for the settings in it, so
that a command reaches the data of a gateway that runs.
"""

import asyncio
import json
import os
import pwd
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from gateway.settings import Settings, load
from gateway.state import Limit, State, Tenant
from gateway.state.limits import parse_limit
from gateway.state.open import open_state

SETTINGS = Path("gateway.toml")
T = TypeVar("T")

Config = Annotated[Path, typer.Option("--config", help="The settings.", show_default=True)]
StateDir = Annotated[Path | None, typer.Option("--state", help="The folder of `tollgate up`, instead of --config.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit", help="unit/window=amount (units requests, tokens, usd; windows request, minute, day, month); repeat."
    ),
]


class Failure(Exception):
    """Raised when a command cannot do what it was asked; the text says what to change. Exit code 1."""


def settings_of(config: Path, state: Path | None) -> Settings:
    """The settings that the two options name. Raises SettingsError."""
    return load(settings_file(config, state))


def settings_file(config: Path, state: Path | None) -> Path:
    """The file that the two options name."""
    return state / SETTINGS.name if state else config


def with_state(settings: Settings, work: Callable[[State], Awaitable[T]]) -> T:
    """What `work` returns, with the state open for as long as it runs. Raises StateUnavailable."""

    async def opened() -> T:
        state = await open_state(settings.state.url, settings.state.ledger)
        try:
            return await work(state)
        finally:
            await state.close()

    return asyncio.run(opened())


def by() -> str:
    """Who changes something, for the audit: `cli:` and the system's name of the user whose process this is."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # a container's user often has a number only
        return f"cli:{os.getuid()}"


async def tenant_of(state: State, name: str) -> Tenant:
    """The tenant of that name. Raises Failure."""
    tenant = await state.keys.tenant(name)
    if tenant is None:
        raise Failure(f"there is no tenant {name!r}; `tollgate tenants list` prints those there are")
    return tenant


def usable(option: str, check: Callable[[Any], T], value: Any) -> T:
    """What `check` makes of an option's value; what it refuses with a ValueError is wrong usage (exit code 2)."""
    try:
        return check(value)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def text_of(file: Path) -> str:
    """A file of text, or standard input for `-`. Raises Failure."""
    try:
        return (sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read as UTF-8 text: {error}") from error


def limits_of(texts: Sequence[str] | None) -> tuple[Limit, ...]:
    """The `--limit` options as limits; a wrong one is wrong usage."""
    return usable("--limit", lambda given: tuple(map(parse_limit, given)), texts or ())


def show(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print rows of the same columns: a JSON list, or aligned columns for people (nothing is cut)."""
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    if not rows:
        typer.echo("none")
        return
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    with suppress(BrokenPipeError):  # the reader (head, less) has seen enough
        for line in lines:
            typer.echo("  ".join(map(str.ljust, line, widths)).rstrip())


def when(seconds: float | None) -> str | None:
    """A time for people and for JSON: UTC, to the second."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        value = ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    return "-" if value in (None, "") else str(value)
