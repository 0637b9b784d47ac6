"""The output schemas of templates, and what there is to warn of in them: for whoever starts or checks a gateway."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.linting.lint import notes_of
from prompts.library import Library

log = logging.getLogger("tollgate.prompts")


def output_schemas(library: Library) -> dict[str, Mapping[str, Any]]:
    """Of the templates that have one, by the template's id."""
    fronts = {id: library.get(id).front for id in library.ids()}
    return {id: front.output_schema for id, front in fronts.items() if front.output_schema is not None}


def log_warnings(library: Library) -> None:
    """Tell what there is to warn of, once for each time that a library is taken up."""
    for warning in warnings(library):
        log.warning(warning)


def warnings(library: Library) -> Iterator[str]:
    """A line for each thing that the engine would refuse or does not enforce: only the check holds answers to it."""
    for id, schema in output_schemas(library).items():
        told = (note for note in notes_of(schema) if note.severity != "advice")
        yield from (f"prompt {id!r}: output_schema {note.pointer or 'at the top'}: {note.message}" for note in told)
