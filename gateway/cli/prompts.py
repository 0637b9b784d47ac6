"""`tollgate prompts`: templates, their versions, and what they say when rendered."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import templates
from gateway.cli import prompt_diff, prompt_tests
from gateway.cli.common import SETTINGS, Config, Failure, Json, StateDir, settings_of, show
from gateway.settings import SettingsError
from gateway.shots import shown
from prompts.errors import PromptError
from prompts.library import Library
from prompts.template import Template
from retrieval.embed import EmbedderUnavailable

app = typer.Typer(name="prompts", help="Templates and their versions.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="The template's id, such as support/answer.")]
Version = Annotated[str | None, typer.Option(help="Tag, commit or digest; default: the latest.")]

app.command("test")(prompt_tests.try_cases)
app.command()(prompt_diff.diff)


@app.command("list")
def list_(config: Config = SETTINGS, state: StateDir = None, as_json: Json = False) -> None:
    """All templates."""
    library = _library(config, state)
    templates = [library.get(id) for id in library.ids()]
    show([{"prompt": t.id, "version": t.version, "description": t.front.description} for t in templates], as_json)


@app.command("show")
def show_(
    id: Id, version: Version = None, config: Config = SETTINGS, state: StateDir = None, as_json: Json = False
) -> None:
    """A template as it is written, and the commits that changed it."""
    library = _library(config, state)
    template = _template(library, id, version)
    revisions = [{"commit": r.commit, "date": r.date.isoformat(), "digest": r.digest} for r in library.versions(id)]
    if as_json:
        facts = {"prompt": id, "version": template.version, "digest": template.digest}
        typer.echo(json.dumps({**facts, "source": template.source, "versions": revisions}, ensure_ascii=False))
        return
    typer.echo(template.source)
    show(revisions, as_json=False)


@app.command()
def render(
    id: Id,
    variables: Annotated[str, typer.Option("--vars", help="A JSON object; @FILE reads it from a file.")] = "{}",
    version: Version = None,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """The messages that a template becomes, with its examples and without passages."""
    template, values = _template(_library(config, state), id, version), _variables(variables)
    try:
        messages = template.render(values, shots=shown(template, values))
    except (PromptError, EmbedderUnavailable) as error:
        raise Failure(str(error)) from error
    if as_json:
        typer.echo(json.dumps(messages, ensure_ascii=False))
        return
    for message in messages:
        typer.echo(f"--- {message['role']}\n{message['content']}")


def _library(config: Path, state: Path | None) -> Library:
    try:
        return templates.library(settings_of(config, state))
    except (PromptError, SettingsError) as error:
        raise Failure(str(error)) from error


def _template(library: Library, id: str, version: str | None) -> Template:
    try:
        return library.get(id, version)
    except PromptError as error:
        raise Failure(str(error)) from error


def _variables(text: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(text[1:]).read_bytes() if text.startswith("@") else text)
    except (OSError, ValueError, RecursionError) as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="--vars") from error
    if not isinstance(found, dict):
        raise typer.BadParameter('write a JSON object, such as {"question": "..."}', param_hint="--vars")
    return found
