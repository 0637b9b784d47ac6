"""The detectors that come with the gateway, one for each kind in the settings but `webhook`, as guards.

`pii` personal data, `secrets` keys and passwords, `urls` hosts that are not allowed, `words` block lists, `injection`
phrases of attacks; `classifier` asks a served model instead. `folding` and `rules` are what they are made of. Which
texts are looked at, and what becomes of a finding, is not theirs to know.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from gateway.exchange import Call, Finding
from gateway.exchange.guarding import Where
from gateway.guards.detectors.classifier import Classifier
from gateway.guards.detectors.injection import Injection
from gateway.guards.detectors.pii import Pii
from gateway.guards.detectors.secrets import Secrets
from gateway.guards.detectors.urls import Urls
from gateway.guards.detectors.words import Words
from gateway.guards.protocols import Guard
from gateway.models import Model
from gateway.settings import guards as settings

INLINE_CHARS = 20_000  # of text that the event loop may wait for: about 2 ms
Section = settings.Pii | settings.Secrets | settings.Urls | settings.Words | settings.Injection


def detector(section: Section, name: str, models: Mapping[str, Model] = {}) -> Guard:
    """The guard `name` that a section asks for; `models` are those that may be asked. Raises ValueError.

    `models` may be filled later: it is looked at when a text is.
    """
    match section:
        case settings.Pii():
            return _Local(name, Pii(section.entities))
        case settings.Secrets():
            return _Local(name, Secrets())
        case settings.Urls():
            return _Local(name, Urls(section.allow))
        case settings.Words():
            return _Local(name, Words(section.words, section.patterns))
        case settings.Injection(model=None):
            return _Whole(name, Injection(section.threshold))
        case settings.Injection():
            return _Asking(name, Classifier(models, section.model or "", section.threshold, section.deadline_s))


# Characters before a finding that may matter to it: the words that announce it (`rules.BEFORE`), with room to spare.
BEFORE = 256
AGAIN = 1_000  # characters of an answer that were judged before and are shown again: some sentences


class _Near(Protocol):
    @property
    def reach(self) -> int: ...

    def find(self, text: str) -> Sequence[Finding]: ...

    def held(self, text: str) -> int: ...


class _Local:
    """A detector that needs to see no more than its reach."""

    def __init__(self, name: str, detector: _Near) -> None:
        self.name, self.reach, self.before = name, detector.reach, min(detector.reach, BEFORE)
        self.held, self._find = detector.held, detector.find

    async def find(self, text: str, call: Call, where: Where) -> Sequence[Finding]:
        return self._find(text)


class _Whole:
    """One that judges whole texts by itself."""

    reach, before = None, AGAIN

    def __init__(self, name: str, detector: Injection) -> None:
        self.name, self._detector = name, detector

    def held(self, text: str) -> int:
        return len(text)

    async def find(self, text: str, call: Call, where: Where) -> Sequence[Finding]:
        if len(text) > INLINE_CHARS:
            return await asyncio.to_thread(self._detector.find, text)
        return self._detector.find(text)


class _Asking:
    """One that asks a model."""

    reach, before = None, AGAIN

    def __init__(self, name: str, classifier: Classifier) -> None:
        self.name, self._classifier = name, classifier

    def held(self, text: str) -> int:
        return len(text)

    async def find(self, text: str, call: Call, where: Where) -> Sequence[Finding]:
        return await self._classifier.find(text)
