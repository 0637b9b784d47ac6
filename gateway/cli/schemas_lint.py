"""`tollgate schemas lint`: what the engine will make of a schema, before a request names it."""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from gateway import templates
from gateway.cli.common import SETTINGS, Config, Failure, Json, StateDir, settings_of, show
from gateway.errors import InvalidValue
from gateway.exchange.wanted import Format
from gateway.linting import Note, least_tokens, lint
from gateway.linting.templates import output_schemas
from gateway.schemas import Schemas
from prompts.errors import LibraryError

File = Annotated[Path | None, typer.Argument(help="A JSON Schema; - reads standard input.")]
Prompts = Annotated[bool, typer.Option("--prompts", help="The output schemas of all templates instead.")]
MaxTokens = Annotated[int | None, typer.Option(min=1, help="The ceiling that answers will have.")]


def lint_(
    file: File = None,
    prompts: Prompts = False,
    max_tokens: MaxTokens = None,
    config: Config = SETTINGS,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """What the engine refuses, does not enforce or over-constrains in a schema, and what makes answers worse."""
    if (file is None) != prompts:
        raise typer.BadParameter("name a file, or say --prompts", param_hint="FILE")
    schemas = _of_prompts(config, state) if file is None else {str(file): _read(file)}
    found = [(name, note) for name, schema in schemas.items() for note in notes(schema, max_tokens)]
    show([{"schema": name, **note.row()} for name, note in found], as_json)
    if any(note.severity == "error" for _, note in found):
        raise typer.Exit(1)


def notes(schema: Mapping[str, Any], max_tokens: int | None = None) -> Iterator[Note]:
    """What the gateway itself refuses, then what the engine makes of the schema."""
    try:
        asyncio.run(Schemas().accept(Format("json", schema)))
    except InvalidValue as error:
        yield Note("error", "", "", f"the gateway refuses it: {error.message}")
    least = least_tokens(Format("json", schema))
    if max_tokens is not None and least > max_tokens:
        yield Note("error", "", "", f"an answer has at least {least} tokens; max_tokens is {max_tokens}")
    yield from lint(schema)


def _of_prompts(config: Path, state: Path | None) -> dict[str, Mapping[str, Any]]:
    try:
        return output_schemas(templates.library(settings_of(config, state)))
    except LibraryError as error:
        raise Failure("\n".join(map(str, error.faults))) from error


def _read(file: Path) -> Mapping[str, Any]:
    try:
        schema = orjson.loads(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise Failure(f"{file} is no JSON: {error}") from error
    if not isinstance(schema, dict):
        raise Failure(f"{file} is no JSON Schema that a request can name: it must be an object")
    return schema
