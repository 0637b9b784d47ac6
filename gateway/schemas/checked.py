"""Whether an answer is what it must be: JSON of a schema, a regex, a choice, calls of tools. Knows no remedy.

The engine was given the same format; that it was guided is no proof. What is wrong with an answer is said in words that
quote the schema and, of the answer, only names of members: fit for an error, and for the model that shall repair it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import orjson

from gateway.errors import InvalidValue
from gateway.exchange.wanted import ANY, Format, Tool
from gateway.schemas.compiled import Compiled
from gateway.schemas.repair import repaired
from gateway.schemas.validators import SHOWN_FAULTS, Judged
from serving.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check says: `faults` where it is `invalid`, `content` where it was `repaired`.

    `flags` are faults in spite of which it stands: `format` (a string is not in the format that its schema names),
    `tool_unknown` and `tool_arguments` (of a call that was not demanded, and whose tool is not strict).
    """

    schema: Literal["none", "valid", "repaired", "unchecked", "invalid"]
    faults: tuple[str, ...] = ()
    content: str | None = None
    flags: tuple[str, ...] = ()


class Schemas:
    """Checks answers, each within `deadline_s`. Built once for all: it keeps what it compiled.

    `asker` is the tenant: what is slow waits for its own, not for others' (`workers`).
    """

    def __init__(self, deadline_s: float = 1.0) -> None:
        self._compiled = Compiled(deadline_s)

    async def accept(self, format: Format, asker: str = "") -> None:
        """Raises InvalidValue where an answer could not be checked against this format: before anything is spent."""
        if format.schema is not None:
            await self._compiled.known(format.schema, format.param, asker)
        if format.regex is not None:
            await self._compiled.known({"pattern": format.regex}, format.param, asker)
            await self._compiled.known(_whole(format.regex), format.param, asker)
        for tool in format.tools:
            await self._compiled.known(_arguments(tool), "tools", asker)

    async def judged(self, schema: Mapping[str, Any], text: str, most: int = SHOWN_FAULTS, asker: str = "") -> Judged:
        """What is wrong with one text. Raises InvalidValue where the schema cannot be used."""
        known = await self._compiled.known(schema, "response_format", asker)
        return await self._compiled.judged(known, _bytes(text), most, asker)

    async def checked(self, format: Format, message: Mapping[str, Any], finish_reason: str, asker: str = "") -> Checked:
        """An answer's message in OpenAI's shape against an accepted format. Text is repaired after a `stop` only: what
        was cut has lost something."""
        try:
            if calls := message.get("tool_calls"):
                return await self._calls(format.tools, calls, asker)
            return await self._content(format, str(message.get("content") or ""), finish_reason == "stop", asker)
        except InvalidValue as error:  # it was accepted, and is no longer kept: on a busy machine it may take too long
            return _invalid(error.message)

    async def _content(self, format: Format, text: str, ended: bool, asker: str) -> Checked:
        match format.kind:
            case "json":
                return await self._json(format.schema or {}, text, ended, asker)
            case "regex":
                found = await self.judged(_whole(format.regex or ""), orjson.dumps(text).decode(), asker=asker)
                return _invalid("the answer does not match the regex") if found.faults else Checked("valid")
            case "choice":
                return Checked("valid") if text in format.choices else _invalid("the answer is none of the choices")
            case "grammar":
                return Checked("unchecked")
        return Checked("none")

    async def _json(self, schema: Mapping[str, Any], text: str, ended: bool, asker: str) -> Checked:
        found = await self.judged(schema, text, asker=asker)
        if not found.faults:
            return Checked("valid", flags=found.flags)
        fixed = await asyncio.to_thread(repaired, text) if ended else None
        if fixed is None or fixed == text.strip():
            return Checked("invalid", found.faults)
        again = await self.judged(schema, fixed, asker=asker)
        if again.faults:
            return Checked("invalid", again.faults)
        return Checked("repaired", content=fixed, flags=again.flags)

    async def _calls(self, tools: Sequence[Tool], calls: Sequence[Mapping[str, Any]], asker: str) -> Checked:
        """Valid, unless a call that the engine was told to get right is not."""
        by_name = {tool.name: tool for tool in tools}
        demanded = bool(tools) and all(tool.strict for tool in tools)
        faults: list[str] = []
        flags: set[str] = set()
        for call in calls:
            function = call.get("function") or {}
            tool = by_name.get(str(function.get("name")))
            found = await self._call(tool, function, asker)
            if found and (tool.strict if tool else demanded):
                faults += found
            elif found:
                flags.add("tool_arguments" if tool else "tool_unknown")
        shown = tuple(faults[:SHOWN_FAULTS])
        return Checked("invalid" if faults else "valid", shown, flags=tuple(sorted(flags)))

    async def _call(self, tool: Tool | None, function: Mapping[str, Any], asker: str) -> list[str]:
        if tool is None:
            return ["a call names a tool that may not be called"]
        found = await self.judged(_arguments(tool), str(function.get("arguments") or "{}"), asker=asker)
        return [f"arguments of {tool.name}: {fault}" for fault in found.faults]


def _whole(regex: str) -> dict[str, Any]:
    return {"pattern": f"^(?:{regex})$"}


def _arguments(tool: Tool) -> Mapping[str, Any]:
    """An object, where `parameters` does not say so: OpenAI's API knows no other arguments."""
    return {**ANY, **(tool.parameters or {})}


def _bytes(text: str) -> bytes:
    """As UTF-8; half a surrogate pair, which it cannot carry, stays no JSON."""
    return text.encode("utf-8", "surrogatepass")


def _invalid(fault: str) -> Checked:
    return Checked("invalid", (fault,))
