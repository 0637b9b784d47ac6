"""One guard that is asked: its findings or why there are none, whatever it does."""

import asyncio
import logging
import threading
from collections.abc import Sequence

import pytest

from gateway.exchange import Call, Finding
from gateway.exchange.guarding import Ruling, Where
from gateway.guards.asking import INLINE_CHARS, Report, Watch, ask
from gateway.guards.protocols import GuardFailed
from tests.gateway.calls import call
from tests.gateway.guards.scripted import Action, Pure, Whole, everywhere, remote, watch

SECRET = "the secret of the text"


def asked(one: Watch, *texts: str) -> Report:
    return asyncio.run(ask(one, texts or (SECRET,), call(), "input"))


def spans(report: Report) -> list[list[tuple[int, int]]]:
    return [[(one.start, one.end) for one in found] for found in report.found]


def test_each_text_has_its_findings() -> None:
    for one in (watch(Pure("secret")), remote(Whole(everywhere("secret")))):
        report = asked(one, "secret", "nothing", "a secret, secret")
        assert spans(report) == [[(0, 6)], [], [(2, 8), (10, 16)]]
        assert report.failed is None
        assert dict(report.looked().found) == {report.found[0][0].kind: 3}


@pytest.mark.parametrize(
    ("action", "most", "ruling"),
    [("block", "block", "block"), ("redact", "block", "redact"), ("block", "flag", "flag"), ("flag", "redact", "flag")],
)
def test_what_becomes_of_a_finding_is_the_lower_of_what_the_guard_and_the_settings_want(
    action: Action, most: Ruling, ruling: Ruling
) -> None:
    async def judge(text: str) -> Sequence[Finding]:
        return [Finding(0, 3, "X", "[X]", most)]

    report = asked(remote(Whole(judge), action))
    assert (report.found[0][0].ruling, report.ruling, report.looked().ruling) == (ruling, ruling, ruling)


async def slow(text: str) -> Sequence[Finding]:
    await asyncio.Event().wait()
    return []


async def broken(text: str) -> Sequence[Finding]:
    raise ValueError(f"cannot read {text}")


async def failing(text: str) -> Sequence[Finding]:
    raise GuardFailed("its server is away")


async def beside(text: str) -> Sequence[Finding]:
    return [Finding(len(text) - 1, len(text) + 1, "X", "[X]")]


async def backwards(text: str) -> Sequence[Finding]:
    return [Finding(4, 4, "X", "[X]")]


FAILURES = [
    (slow, "no answer within 0.05 s"),
    (broken, "ValueError"),
    (failing, "its server is away"),
    (beside, "it found something outside of the text"),
    (backwards, "it found something outside of the text"),
]


@pytest.mark.parametrize(("judge", "why"), FAILURES)
@pytest.mark.parametrize(("fail", "ruling"), [("closed", "block"), ("open", "pass")])
def test_a_guard_without_an_answer_blocks_or_passes_as_it_is_set_and_says_why(
    judge: object, why: str, fail: str, ruling: str, caplog: pytest.LogCaptureFixture
) -> None:
    guard = Whole(judge)  # type: ignore[arg-type] # each of FAILURES judges
    with caplog.at_level(logging.DEBUG):
        report = asked(remote(guard, fail=fail, deadline_s=0.05), SECRET, SECRET)
    assert (report.failed, report.ruling, report.found) == (why, ruling, ((), ()))
    assert report.looked().told() == {"guard": "whole", "on": "input", "verdict": ruling, "found": {}, "failed": why}
    assert "secret" not in caplog.text


def test_long_texts_do_not_hold_the_event_loop() -> None:
    class Where_(Pure):
        async def find(self, text: str, call: Call, where: Where) -> Sequence[Finding]:
            threads.append(threading.current_thread())
            return await super().find(text, call, where)

    threads: list[threading.Thread] = []
    short, long = "secret", "secret" + " " * INLINE_CHARS
    assert spans(asked(watch(Where_("secret")), short)) == spans(asked(watch(Where_("secret")), long)) == [[(0, 6)]]
    assert threads[0] is threading.main_thread()
    assert threading.main_thread() not in threads[1:]


def test_a_guard_with_a_reach_that_waits_is_found_out() -> None:
    class Waiting(Pure):
        async def find(self, text: str, call: Call, where: Where) -> Sequence[Finding]:
            await asyncio.sleep(0)
            return []

    assert asked(watch(Waiting("x")), " " * (INLINE_CHARS + 1)).failed == "it has a reach and yet waits for something"


def test_who_asks_may_be_cancelled() -> None:
    async def case() -> None:
        task = asyncio.create_task(ask(remote(Whole(slow)), [SECRET], call(), "input"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(case())


def test_a_guard_looks_where_and_at_whom_its_settings_say() -> None:
    assert watch(Pure("x")).over("passages", "acme")
    assert not watch(Pure("x"), tenants=("acme",)).over("input", "other")
    assert watch(Pure("x"), tenants=("acme",)).over("input", "acme")
    assert not Watch(Pure("x"), watch(Pure("x")).section.model_copy(update={"on": ("input",)})).over("output", "acme")
