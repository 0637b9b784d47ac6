"""`tollgate cache`: cached answers, from outside of the gateway."""

from typing import Annotated

import typer

from gateway.cli.common import SETTINGS, Config, Json, StateDir, settings_of, show, with_state

app = typer.Typer(name="cache", help="Cached answers.", no_args_is_help=True)
Tag = Annotated[str | None, typer.Option(help="Only answers with this tag; default: all.")]


@app.command()
def stats(config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """How many answers are kept."""
    entries = with_state(settings_of(config, state), lambda opened: opened.answers.count())
    show([{"entries": entries}], as_json)


@app.command()
def purge(tag: Tag = None, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """Remove cached answers."""
    removed = with_state(settings_of(config, state), lambda opened: opened.answers.purge(tag))
    show([{"removed": removed}], as_json)
