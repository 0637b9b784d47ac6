"""`tollgate schemas`: JSON Schemas against what they describe, outside of any request."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from gateway.cli import schemas_lint
from gateway.cli.common import Failure
from gateway.errors import InvalidValue
from gateway.schemas import Schemas

app = typer.Typer(name="schemas", help="JSON Schemas: what an answer must satisfy.", no_args_is_help=True)
app.command("lint")(schemas_lint.lint_)

# A schema may be `true` or `false` (JSON Schema 2020-12 core, section 4.3.2); the validators take objects.
BOOLEAN: dict[bool, dict[str, Any]] = {True: {}, False: {"not": {}}}
MOST_ERRORS = 1_000  # of one line
Batch = Annotated[Path, typer.Option(help='Lines of {"schema", "instance"}; - reads standard input.')]


@app.callback()
def group() -> None:
    """JSON Schemas: what an answer must satisfy."""


@app.command()
def validate(batch: Batch) -> None:
    """Check instances against their schemas: a line of {"valid", "errors"} for each line read.

    As an answer is checked: nothing is fetched, within the limits, and each within a second.
    """
    if unreadable := asyncio.run(_validated(batch)):
        raise Failure(f"{unreadable} lines could not be read; their errors say why")


async def _validated(batch: Path) -> int:
    """How many lines could not be read."""
    schemas, unreadable = Schemas(), 0
    with _open(batch) as lines:
        for line in lines:
            try:
                errors = await _errors(schemas, *_pair(line))
            except ValueError as error:
                unreadable += 1
                errors = [str(error)]
            typer.echo(json.dumps({"valid": not errors, "errors": errors}, ensure_ascii=False))
    return unreadable


def _open(batch: Path) -> BinaryIO:
    try:
        return sys.stdin.buffer if str(batch) == "-" else batch.open("rb")
    except OSError as error:
        raise Failure(f"{batch} cannot be read: {error.strerror}") from error


def _pair(line: bytes) -> tuple[Any, str]:
    """The schema and the instance, as JSON, of a line. Raises ValueError."""
    try:
        pair = json.loads(line, parse_constant=_no_number)
        if not isinstance(pair, dict) or pair.keys() != {"schema", "instance"}:
            raise ValueError('a line is {"schema": ..., "instance": ...}')
        return pair["schema"], json.dumps(pair["instance"])
    except RecursionError as error:
        raise ValueError("the line nests too deeply") from error


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


async def _errors(schemas: Schemas, schema: Any, instance: str) -> list[str]:
    """What is wrong with the schema, or where the instance fails it (JSON Pointers, RFC 6901)."""
    if isinstance(schema, bool):
        schema = BOOLEAN[schema]
    if not isinstance(schema, dict):
        return ["a schema is an object, true or false"]
    try:
        return list((await schemas.judged(schema, instance, MOST_ERRORS)).faults)
    except InvalidValue as error:
        return [error.message]
