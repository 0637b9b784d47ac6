"""An answer under its guards: each text of each choice is a track of its own. Knows no guard and no pipeline.

The texts of a choice are its content, its reasoning, whatever else comes as text, and the arguments of each tool call,
which are JSON. When a choice goes on with another of its texts, the one before is shown to its end first, so that what
a client gets keeps its order.

Invariants: what is held back comes, or is refused, before the answer's end; usage is not held back. What carries the
text a second time, the logprobs, comes last of its choice, and not at all where something was redacted. What nobody can
look at does not come: tokens that might have been said instead, and whatever is neither a text nor a tool call.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.exchange import Call, Looked
from gateway.guards.asking import Watch
from gateway.guards.refusing import refused
from gateway.guards.tracks import Tally, Track
from gateway.guards.views import Json, Plain
from serving.events import Delta, Deltas

Key = tuple[str, ...] | tuple[str, int]  # of a text of a choice: ("content",), or ("tool_calls", 0)
CALLS, NAMES = "tool_calls", "tool_names"


class Screen:
    """The tracks of one answer. `structured`: its content is JSON."""

    def __init__(self, watches: Sequence[Watch], call: Call, structured: bool) -> None:
        self._call, self._structured = call, structured
        self._tallies = [Tally(watch) for watch in watches]
        self._holds = any(watch.holds for watch in watches)
        self._choices: dict[int, _Choice] = {}

    async def shown(self, said: Deltas) -> Deltas:
        """What may be shown once this was said. Raises ContentFilter, or Unready where a guard fails closed."""
        pieces = [shown for piece in said.pieces for shown in await self._of(piece.index).add(piece)]
        self._refuse()
        return replace(said, pieces=tuple(pieces)) if self._holds else said

    async def rest(self) -> Deltas:
        """What was held back, once all is said. Raises as `shown` does."""
        pieces = [shown for choice in self._choices.values() for shown in await choice.rest()]
        self._refuse()
        return Deltas(tuple(pieces) if self._holds else ())

    @property
    def looked(self) -> tuple[Looked, ...]:
        return tuple(tally.looked() for tally in self._tallies)

    def _of(self, index: int) -> "_Choice":
        if index not in self._choices:
            self._choices[index] = _Choice(index, self._tallies, self._call, self._structured)
        return self._choices[index]

    def _refuse(self) -> None:
        if any(tally.ruling == "block" for tally in self._tallies) and (error := refused(self.looked, "output")):
            raise error


class _Choice:
    """The texts of one choice."""

    def __init__(self, index: int, tallies: Sequence[Tally], call: Call, structured: bool) -> None:
        self._index, self._tallies, self._call, self._structured = index, tallies, call, structured
        self._tools = {tool["function"]["name"] for tool in call.fields.get("tools") or ()}
        self._tracks: dict[Key, Track] = {}
        self._now: Key | None = None  # the text that grows
        self._logprobs: dict[str, list[Any]] = {}

    async def add(self, piece: Delta) -> list[Delta]:
        """What may be shown of a piece, and of what was said before it."""
        for name, entries in _said_only(piece.logprobs or {}).items():
            self._logprobs.setdefault(name, []).extend(entries or ())
        before: list[Delta] = []
        said: dict[str, Any] = {}
        for name, value in piece.delta.items():
            if name == CALLS:
                said[name] = [await self._call_of(one, before) for one in value or ()]
            elif not isinstance(value, (Mapping, list)):
                text = isinstance(value, str) and value and name != "role"
                said[name] = await self._grown((name,), value, before) if text else value
        return [*before, *([Delta(self._index, kept)] if (kept := dict(_telling(said))) else [])]

    async def rest(self) -> list[Delta]:
        """What was held back of all texts, and then the logprobs."""
        held: list[Delta] = []
        await self._ended(held)
        if self._logprobs and not any(track.changed for track in self._tracks.values()):
            held.append(Delta(self._index, {}, self._logprobs))
        return held

    async def _call_of(self, piece: Mapping[str, Any], before: list[Delta]) -> Mapping[str, Any]:
        """A piece of a tool call. A name comes whole; one that the request does not name is the model's own text."""
        function, number = dict(piece.get("function") or {}), int(piece.get("index", 0))
        said = await self._grown((CALLS, number), function.get("arguments") or "", before)
        if "arguments" in function:
            function["arguments"] = said
        if (name := function.get("name")) and name not in self._tools:
            function["name"] = await self._track((NAMES, number)).add(name, final=True)
        return {**piece, "function": function}

    async def _grown(self, key: Key, said: str, before: list[Delta]) -> str:
        """What may be shown of a text that grows; what another one held back goes to `before`."""
        if key != self._now:
            await self._ended(before)
            self._now = key
        return await self._track(key).add(said)

    async def _ended(self, held: list[Delta]) -> None:
        """The text that grew until now is shown to its end."""
        if self._now and (rest := await self._track(self._now).add("", final=True)):
            held.append(Delta(self._index, _delta(self._now, rest)))

    def _track(self, key: Key) -> Track:
        if key not in self._tracks:
            json = key[0] == CALLS or (self._structured and key == ("content",))
            self._tracks[key] = Track(self._tallies, self._call, Json() if json else Plain())
        return self._tracks[key]


def _said_only(logprobs: Mapping[str, Any]) -> dict[str, Any]:
    """The logprobs of the tokens that were said, as chats and completions have them."""
    kept = dict(logprobs)
    if isinstance(entries := kept.get("content"), list):
        kept["content"] = [{**one, "top_logprobs": _own(one)} if one.get("top_logprobs") else one for one in entries]
    if kept.get("top_logprobs"):
        pairs = zip(kept.get("tokens") or (), kept["top_logprobs"], strict=False)
        kept["top_logprobs"] = [{token: top[token]} if token in (top or {}) else None for token, top in pairs]
    return kept


def _own(entry: Mapping[str, Any]) -> list[Any]:
    return [one for one in entry["top_logprobs"] if one.get("token") == entry.get("token")]


def _delta(key: Key, text: str) -> dict[str, Any]:
    if key[0] == CALLS:
        return {CALLS: [{"index": key[1], "function": {"arguments": text}}]}
    return {str(key[0]): text}


def _telling(said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The parts of a delta that say something, once what is held back has been taken out."""
    for name, value in said.items():
        if name == CALLS:
            calls = [one for one in value if len(one) > 2 or any((one["function"] or {}).values())]
            if calls:
                yield name, calls
        elif value not in ("", None) and name != "role":
            yield name, value
