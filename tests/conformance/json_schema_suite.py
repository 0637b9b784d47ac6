"""The JSON-Schema-Test-Suite that lies beside this file, case by case."""

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

SUITE = Path(__file__).parent / "json_schema" / "suite.json.gz"
DIALECTS = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft7": "http://json-schema.org/draft-07/schema#",
}


class Case(NamedTuple):
    """A schema and its tests: a value each, and whether it is valid. `name` is file and description."""

    name: str
    schema: dict[str, Any]
    tests: list[tuple[Any, bool]]


@cache
def _files() -> dict[str, list[dict[str, Any]]]:
    files: dict[str, list[dict[str, Any]]] = json.loads(gzip.decompress(SUITE.read_bytes()))
    return files


def cases(dialect: str, under: str = "") -> Iterator[Case]:
    """The cases of a dialect's own folder (the required ones), or of one `under` it."""
    folder = f"{dialect}/{under}"
    for path, found in _files().items():
        if path.startswith(folder) and "/" not in path.removeprefix(folder):
            for case in found:
                tests = [(test["data"], test["valid"]) for test in case["tests"]]
                name = f"{path.removesuffix('.json')}: {case['description']}"
                yield Case(name, _as_object(case["schema"], dialect), tests)


def _as_object(schema: Any, dialect: str) -> dict[str, Any]:
    """An API takes objects: `true` is {}, `false` is {"not": {}}. The dialect is the folder's where none is named."""
    written: dict[str, Any] = {True: {}, False: {"not": {}}}[schema] if isinstance(schema, bool) else schema
    return {"$schema": DIALECTS[dialect], **written}
