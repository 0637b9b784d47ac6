"""Several prompts of one request: each has its row and its hold, and none is left behind, however the request ends."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import BudgetExceeded, Overloaded, RateLimited, Refusal, RequestTooLarge
from gateway.exchange import Answer, Call, Opened
from gateway.together import each, together
from serving.errors import BackendUnavailable
from tests.fakes.backend import DONE, HANG, JSON, Script, Seen, event, usage
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, assembled
from tests.gateway.calls import call, caller
from tests.gateway.waiting import until

PATH = "/v1/completions"
MORE = ("b", "c")


def chunk(text: str, finish: str | None) -> bytes:
    choice = {"index": 0, "text": text, "finish_reason": finish}
    return event({"id": "cmpl-fake", "created": 1, "model": "tiny", "choices": [choice], "usage": usage(1)})


WHOLE = Script((chunk("x", "stop"), DONE))
HANGING = Script((chunk("x", None), HANG))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    models = {"small": {"backends": ["first"], "max_output": 64}}
    with running(assembled(tmp_path_factory.mktemp("together"), models=models)) as started:
        yield started


@pytest.fixture
def answers(gateway: Assembled) -> Callable[..., None]:
    """Sets what each prompt is answered."""

    def answer(**scripts: Script) -> None:
        async def scripted(seen: Seen) -> Script:
            return scripts[seen.body["prompt"]]

        gateway.fake.answers[PATH] = scripted

    return answer


def asking(**changes: Any) -> tuple[Call, ...]:
    """The calls that a request of three prompts becomes."""
    return each(replace(call(**{"cache": "skip"} | changes), messages=(), text="a"), MORE)


async def read(gateway: Assembled, calls: Sequence[Call]) -> list[Answer]:
    async with aclosing(together(gateway.runtime.pipeline, calls)) as answers:
        return [answer async for answer in answers]


def told(gateway: Assembled, calls: Sequence[Call]) -> list[tuple[int, str | None]]:
    """Status and code of each call's row."""
    return [(row["status"], row["error"]) for row in map(gateway.row, calls)]


async def cut(
    gateway: Assembled, calls: Sequence[Call], ready: Callable[[list[Seen]], bool], why: object
) -> list[Seen]:
    """Cancel the request once `ready`; returns its calls as they were seen at the backend, all over."""
    before = len(gateway.fake.requests)

    def seen() -> list[Seen]:
        """The requests that have begun to be answered."""
        return [s for s in gateway.fake.requests[before:] if s.path == PATH and s.written]

    task = asyncio.create_task(read(gateway, calls))
    await until(lambda: len(seen()) == 3 and ready(seen()))
    task.cancel(why)
    with suppress(asyncio.CancelledError):
        await task
    await until(lambda: all(s.over.is_set() for s in seen()))
    return seen()


def test_each_prompt_is_held_booked_and_on_file(gateway: Assembled, answers: Callable[..., None]) -> None:
    answers(a=WHOLE, b=WHOLE, c=WHOLE)
    calls = asking()
    assert len(gateway.do(read(gateway, calls))) == 2
    assert told(gateway, calls) == [(200, None)] * 3
    gateway.assert_settled(*calls)


def test_one_that_fails_ends_the_others(gateway: Assembled, answers: Callable[..., None]) -> None:
    """And the journal knows that no client left."""
    answers(a=HANGING, b=Script(status=500, headers=JSON), c=HANGING)
    calls = asking()
    with pytest.raises(BackendUnavailable):
        gateway.do(read(gateway, calls))
    assert told(gateway, calls) == [(502, "backend_unavailable")] * 3
    gateway.assert_settled(*calls)


def test_a_client_that_leaves_ends_all(gateway: Assembled, answers: Callable[..., None]) -> None:
    answers(a=HANGING, b=WHOLE, c=HANGING)
    calls = asking()
    seen = gateway.do(cut(gateway, calls, lambda seen: [s.whole for s in seen].count(True) == 1, None))
    assert [s.left_early for s in seen].count(True) == 2
    assert {told(gateway, calls)[i] for i in (0, 2)} == {(499, "client_left")}
    gateway.assert_settled(*calls)


def test_a_stop_is_no_client_that_leaves(gateway: Assembled, answers: Callable[..., None]) -> None:
    answers(a=HANGING, b=HANGING, c=HANGING)
    calls = asking()
    gateway.do(cut(gateway, calls, lambda _: True, Overloaded("The gateway stops.")))
    assert told(gateway, calls) == [(503, "overloaded")] * 3
    gateway.assert_settled(*calls)


@pytest.mark.parametrize(
    ("limit", "before", "kind"),
    [
        ("requests/minute=2", 0, RequestTooLarge),
        ("requests/day=2", 0, RequestTooLarge),
        ("requests/minute=3", 1, RateLimited),
        ("requests/day=3", 1, BudgetExceeded),
    ],
)
def test_of_more_prompts_than_may_be_asked_none_leaves(
    gateway: Assembled, answers: Callable[..., None], limit: str, before: int, kind: type[Refusal]
) -> None:
    answers(a=WHOLE, b=WHOLE, c=WHOLE)
    who = caller(limits=(limit,))
    done = [asking(who=who)[0] for _ in range(before)]
    for one in done:
        assert gateway.ask(one).error is None
    calls, sent = asking(who=who), len(gateway.fake.requests)
    with pytest.raises(kind, match="3 requests") as refused:
        gateway.do(read(gateway, calls))
    assert refused.value.balance is not None
    assert len(gateway.fake.requests) == sent
    assert told(gateway, calls[:1]) == [(refused.value.status, refused.value.code)]
    gateway.assert_settled(*done, calls[0])


def test_as_many_prompts_as_may_be_asked_are_answered(gateway: Assembled, answers: Callable[..., None]) -> None:
    answers(a=WHOLE, b=WHOLE, c=WHOLE)
    calls = asking(who=caller(limits=("requests/minute=3",)))
    gateway.do(read(gateway, calls))
    gateway.assert_settled(*calls)


def test_only_where_all_were_cached_is_it_a_hit(gateway: Assembled, answers: Callable[..., None]) -> None:
    answers(a=WHOLE, b=WHOLE, c=WHOLE)
    who = caller()

    def cache(*prompts: str) -> str:
        text, *more = prompts
        calls = each(replace(call(who=who, cache="use"), messages=(), text=text), more)
        opened = gateway.do(read(gateway, calls))[0]
        assert isinstance(opened, Opened)
        return opened.cache

    assert [cache("a", "b"), cache("a", "c"), cache("a", "b"), cache("c", "a")] == ["miss", "miss", "exact", "exact"]
