"""Long texts in windows: nothing is found otherwise than in the whole, and a look that nobody waits for ends."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from gateway.exchange import Call, Finding
from gateway.exchange.guarding import Where
from gateway.guards import windows
from gateway.guards.detectors import Section, detector
from gateway.guards.protocols import Guard
from gateway.guards.windows import WINDOW, found
from gateway.settings import guards as settings
from tests.gateway.calls import call
from tests.gateway.guards.detectors.planted import PII, SECRETS, document
from tests.gateway.guards.scripted import Pure

LONG = " see https://evil.test/x?y=z \n".join(document(seed, PII | SECRETS).text for seed in range(60))


def looked(guard: Guard, *texts: str) -> list[Sequence[Finding]]:
    return asyncio.run(found(guard, texts, call(), "input"))


@pytest.mark.parametrize(
    "section",
    [
        settings.Pii(kind="pii"),
        settings.Secrets(kind="secrets"),
        settings.Urls(kind="urls"),
        settings.Words(kind="words", words=["the"]),
    ],
)
def test_windows_find_what_the_whole_text_has(section: Section) -> None:
    guard = detector(section, "it")
    text = LONG * (1 + 3 * WINDOW // len(LONG))
    whole = asyncio.run(guard.find(text, call(), "input"))
    assert len(whole) > 10
    assert sorted(looked(guard, text)[0], key=repr) == sorted(whole, key=repr)


@pytest.mark.parametrize("place", [0, WINDOW - 6, WINDOW - 1, WINDOW, 2 * WINDOW - 3])
def test_what_lies_across_a_seam_is_found_once(place: int) -> None:
    text = " " * place + "secret" + " " * (3 * WINDOW)
    findings = looked(Pure("secret"), text, "no secret")
    assert [[(one.start, one.end) for one in each] for each in findings] == [[(place, place + 6)], [(3, 9)]]


def test_what_stands_before_a_window_is_seen() -> None:
    text = " " * (WINDOW - 4) + "key:value" + " " * WINDOW
    assert [(one.start, one.end) for one in looked(Pure("(?<=key:)value"), text)[0]] == [(WINDOW, WINDOW + 5)]


def test_a_look_whose_asker_has_gone_ends_with_its_window() -> None:
    class Slow(Pure):
        async def find(self, text: str, call: Call, where: Where) -> Sequence[Finding]:
            begun.set()
            assert go_on.wait(30)
            return await super().find(text, call, where)

    begun, go_on, guard = threading.Event(), threading.Event(), Slow("secret")

    async def case() -> None:
        task = asyncio.create_task(found(guard, ["x" * (9 * WINDOW)], call(), "input"))
        assert await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(case())
    go_on.set()
    together = threading.Barrier(windows.THREADS)  # all threads are free again
    for waiting in [windows._threads.submit(together.wait, 30) for _ in range(windows.THREADS)]:
        waiting.result()
    assert len(guard.asked) == 1
