"""Nothing planted leaves: documents full of values and near misses, whole and streamed in chunks of one byte."""

import asyncio
from collections.abc import Iterable, Sequence

import pytest

from gateway.exchange import Call
from gateway.guards.asking import Watch
from gateway.guards.detectors import detector
from gateway.guards.detectors.pii import Pii
from gateway.guards.detectors.secrets import Secrets
from gateway.guards.protocols import Guard
from gateway.guards.tracks import Tally, Track
from gateway.guards.views import Plain
from gateway.settings import guards as settings
from tests.gateway.calls import call
from tests.gateway.guards.detectors.planted import PII, SECRETS, Document, Make, counted, document
from tests.gateway.guards.scripted import Action, watch

DETECTORS: dict[str, tuple[dict[str, tuple[str, Make]], Pii | Secrets]] = {
    "pii": (PII, Pii()),
    "secrets": (SECRETS, Secrets()),
}
GUARDS = (
    detector(settings.Pii(kind="pii"), "pii"),
    detector(settings.Secrets(kind="secrets"), "secrets"),
)
ASKED: Call = call()


def documents(kind: str, seeds: Iterable[int]) -> list[Document]:
    return [document(seed, DETECTORS[kind][0]) for seed in seeds]


@pytest.mark.parametrize("kind", DETECTORS)
def test_what_is_planted_is_found_and_nothing_else(kind: str) -> None:
    check(kind, range(240))


@pytest.mark.prove
@pytest.mark.parametrize("kind", DETECTORS)
def test_so_it_is_in_ten_thousand_documents(kind: str) -> None:
    check(kind, range(10_000))


def check(kind: str, seeds: Iterable[int]) -> None:
    for name, count in counted(documents(kind, seeds), DETECTORS[kind][1].find).items():
        # One key in 250 is all letters, which a name in a program is too.
        assert count.covered >= count.planted * (0.98 if name == "SECRET" else 1), (name, count)
        assert count.wrong <= count.found * 0.01, (name, count)


@pytest.mark.parametrize("kind", DETECTORS)
@pytest.mark.parametrize("action", ["redact", "block"])
def test_nothing_planted_leaves_in_chunks_of_one_byte(kind: str, action: Action) -> None:
    for one in documents(kind, range(12)):
        leaves_nothing(one, action)


@pytest.mark.prove
@pytest.mark.parametrize("kind", DETECTORS)
@pytest.mark.parametrize("action", ["redact", "block"])
@pytest.mark.parametrize("begin", range(0, 1000, 200))
def test_nothing_leaves_of_a_thousand_documents(kind: str, action: Action, begin: int) -> None:
    for one in documents(kind, range(begin, begin + 200)):
        leaves_nothing(one, action)


def leaves_nothing(one: Document, action: Action) -> None:
    """Of values that are found whole: which are not is counted above, and the same for streams."""
    found = [span for guard in GUARDS for span in asyncio.run(_spans(guard, one.text))]
    known = [
        value
        for planted, value in zip(one.planted, one.values, strict=True)
        if any(start <= planted.start and planted.end <= end for start, end in found)
    ]
    shown = asyncio.run(streamed(one.text.encode(), [watch(guard, action) for guard in GUARDS]))
    assert known
    assert [value for value in known if value in shown] == []


async def _spans(guard: Guard, text: str) -> Sequence[tuple[int, int]]:
    return [(one.start, one.end) for one in await guard.find(text, ASKED, "output")]


async def streamed(data: bytes, watches: Sequence[Watch]) -> str:
    """What a client gets of a text that comes byte by byte: each character once its last byte is there."""
    tallies = [Tally(one) for one in watches]
    track, text, pending = Track(tallies, ASKED, Plain()), "", b""
    for number in data:
        pending += bytes([number])
        try:
            piece, pending = pending.decode(), b""
        except UnicodeDecodeError:
            continue
        text += await track.add(piece)
    return text + await track.add("", final=True)


@pytest.mark.parametrize("kind", DETECTORS)
def test_what_is_held_back_covers_all_that_a_finding_may_still_become(kind: str) -> None:
    detects = DETECTORS[kind][1]
    for one in documents(kind, range(12)):
        for finding in detects.find(one.text):
            for cut in range(finding.start + 1, finding.end):
                assert detects.held(one.text[:cut]) >= min(cut - finding.start, detects.reach), one.text[: cut + 1]
