"""What of a format the engine is given: the fields of a request with relaxed schemas in place of those that it refuses,
or reads past. The format itself stays as it was asked for: answers are checked against that, repaired towards that, and
cached by that.

`strict` changes nothing here: what it promises, an answer that satisfies the schema, is promised of every answer. The
parameters of a tool are relaxed only where the engine is guided by them; else they are words for the model alone.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from gateway.exchange.wanted import Format
from gateway.linting import Relaxed, notes_of, relaxed
from serving.frozen import dataclass

SMALL = (
    2_000  # characters of a schema that is read on the event loop: some 1 ms; references in it can multiply the work
)


@dataclass(frozen=True, slots=True)
class Guided:
    """`fields` are sent; `unenforced` are the keywords that the gateway's check alone holds answers to."""

    fields: dict[str, Any]
    unenforced: tuple[str, ...] = ()


async def guided(fields: Mapping[str, Any], format: Format) -> Guided:
    """The fields as the engine takes them."""
    sent, lost = dict(fields), set[str]()
    if format.kind == "json" and format.schema is not None:
        found = await _read(format.schema)
        lost |= _unenforced(found)
        if found.schema != format.schema:
            sent |= _instead(sent, format.param, found.schema)
    strict = {tool.name: tool.parameters for tool in format.tools if tool.strict and tool.parameters}
    read = await _together({name: await _read(parameters) for name, parameters in strict.items()})
    lost |= {keyword for found in read.values() for keyword in _unenforced(found)}
    if any(found.schema != strict[name] for name, found in read.items()):
        sent["tools"] = [_tool(tool, read) for tool in sent["tools"]]
    return Guided(sent, tuple(sorted(lost)))


async def _read(schema: Mapping[str, Any]) -> Relaxed:
    text = json.dumps(schema)
    if len(text) <= SMALL and '"$ref"' not in text:
        return relaxed(schema)
    return await asyncio.to_thread(relaxed, schema)


async def _together(read: Mapping[str, Relaxed]) -> Mapping[str, Relaxed]:
    """The parameters of tools within the limits of one schema: the engine makes one grammar of all that may be called.

    What refers to definitions of its own stays out of the sum: its references would point elsewhere.
    """
    alone = {name: found.schema for name, found in read.items() if '"$ref"' not in json.dumps(found.schema)}
    if len(alone) < 2:
        return read
    all_of_them = {"type": "object", "properties": alone, "required": list(alone), "additionalProperties": False}
    summed = await _read(all_of_them)
    parts = summed.schema["properties"]
    return {
        name: Relaxed(parts[name], (*found.dropped, *summed.dropped)) if name in alone else found
        for name, found in read.items()
    }


def _unenforced(found: Relaxed) -> set[str]:
    left = (note.keyword for note in notes_of(found.schema) if note.severity == "warning")
    return {*found.keywords, *left}


def _instead(fields: Mapping[str, Any], param: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    if param == "structured_outputs":
        return {param: {**fields[param], "json": schema}}
    named = fields["response_format"].get("json_schema") or {}
    return {param: {**fields["response_format"], "json_schema": {**named, "schema": schema}}}


def _tool(tool: Mapping[str, Any], read: Mapping[str, Relaxed]) -> Mapping[str, Any]:
    found = read.get(tool["function"]["name"])
    if found is None:
        return tool
    return {**tool, "function": {**tool["function"], "parameters": found.schema}}
