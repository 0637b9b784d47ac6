"""Which version of a template answers a request that names none: the newest, or one that is tried on some.

A conversation stays with its version: it is a point between 0 and 1, drawn from its name by a hash, and each version
has so much of the line as its weight. Nothing of this is remembered, so all gateways choose alike, today and tomorrow;
and a larger weight takes more conversations in without letting one go. A conversation is, the first that there is:

    tags.conversation or the header x-session-id    as the app calls it
    safety_identifier, user, metadata.user_id       whoever asks, in the APIs' own fields
    the first message of the user                   the same in all turns of a conversation
    the variables of the template                   where the app sends no messages

`prompt_cache_key` is none: it names what many conversations have in common. The hash has no secret, for nothing is kept
from anybody by it. Invariants: a version that a request names is what answers it; one that is held back answers nobody
else.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from gateway.exchange import Call
from gateway.exchange.side import Side, Trial
from gateway.live.trials import Trials
from gateway.settings import Canary as Section
from prompts.library import LATEST, Library
from prompts.template import Template

CONVERSATION = "conversation"  # the tag that names it
_LINE = float(1 << 64)


@dataclass(frozen=True, slots=True)
class _Tried:
    """A version that is tried, and where its part of the line ends."""

    template: Template
    end: float
    trial: Trial


@dataclass(frozen=True, slots=True)
class _Canary:
    base: Template
    tried: tuple[_Tried, ...]
    tagged: Mapping[tuple[str, str], Template]


class Canaries:
    """Of one edition of the settings and the prompts."""

    def __init__(self, sections: Mapping[str, Section], library: Library, trials: Trials) -> None:
        """Raises PromptNotFound for a version that is not there."""
        self._of = {id: _canary(id, section, library) for id, section in sections.items()}
        self._trials = trials

    def trials(self) -> list[Trial]:
        """All that run, those that are held back too."""
        return [tried.trial for canary in self._of.values() for tried in canary.tried]

    def choose(self, call: Call) -> tuple[Template, Side] | None:
        """The template and the side of a request; None where nothing is tried, or where it names its version."""
        asked = call.prompt
        if asked is None or asked.version not in (None, LATEST) or (canary := self._of.get(asked.id)) is None:
            return None
        for tag in call.options.tags.items():
            if tag in canary.tagged and not self._held(canary, canary.tagged[tag]):
                return canary.tagged[tag], Side(True)
        return self._drawn(canary, conversation(call))

    def _held(self, canary: _Canary, template: Template) -> bool:
        return any(one.template.digest == template.digest and self._trials.held(one.trial) for one in canary.tried)

    def _drawn(self, canary: _Canary, name: bytes) -> tuple[Template, Side]:
        at = point(canary.base.id, name)
        drawn = next((one for one in canary.tried if at < one.end), None)
        if drawn is not None and not self._trials.held(drawn.trial):
            return drawn.template, Side(True, name, (drawn.trial,))
        return canary.base, Side(False, name, tuple(one.trial for one in canary.tried))


def conversation(call: Call) -> bytes:
    """The digest of a conversation's name, apart for each tenant."""
    first = next((one.get("content") for one in call.messages if one.get("role") == "user"), None)
    named = call.options.tags.get(CONVERSATION) or call.conversation
    variables = call.prompt.variables if call.prompt else {}
    name = ("named", named) if named else ("said", first) if first is not None else ("asked", variables)
    return hashlib.sha256(orjson.dumps([call.caller.tenant, name], default=str, option=orjson.OPT_SORT_KEYS)).digest()


def point(id: str, name: bytes) -> float:
    """Where a conversation is on the line from 0 to 1, another place for each template."""
    return int.from_bytes(hmac.digest(id.encode(), name, "sha256")[:8], "big") / _LINE


def _canary(id: str, section: Section, library: Library) -> _Canary:
    base, weights, tried, end = library.get(id), tuple(section.weights.items()), [], 0.0
    for version, weight in weights:
        template = library.get(id, version)
        end += weight
        tried.append(_Tried(template, end, Trial(id, version, template.digest, base.digest, weights)))
    tagged = {_tag(text): library.get(id, version) for text, version in section.tagged.items()}
    return _Canary(base, tuple(tried), tagged)


def _tag(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value
