"""The output schemas of templates, and what there is to warn of in them: for whoever starts or checks a gateway."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.linting.lint import notes_of
from prompts.library import Library


def output_schemas(library: Library) -> dict[str, Mapping[str, Any]]:
    """Of the templates that have one, by the template's id."""
    fronts = {id: library.get(id).front for id in library.ids()}
    return {id: front.output_schema for id, front in fronts.items() if front.output_schema is not None}


def warnings(library: Library) -> Iterator[str]:
    """A line for each thing that the engine will refuse or not enforce."""
    for id, schema in output_schemas(library).items():
        told = (note for note in notes_of(schema) if note.severity != "advice")
        yield from (f"prompt {id!r}: output_schema {note.pointer or 'at the top'}: {note.message}" for note in told)
