"""Several prompts of one request: each has its row and its hold, and none is left behind, however the request ends."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import replace

import pytest

from gateway.exchange import Answer, Call
from gateway.together import together
from serving.errors import BackendUnavailable
from tests.fakes.backend import DONE, HANG, JSON, Script, Seen, event, usage
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, assembled
from tests.gateway.calls import call
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


def asking() -> Call:
    return replace(call(cache="skip"), messages=(), text="a")


def each(one: Call) -> list[Call]:
    """The calls that a request of three prompts becomes, as far as a row tells them."""
    return [one, *(replace(one, request_id=f"{one.request_id}-{number}") for number in (1, 2))]


async def read(gateway: Assembled, one: Call) -> list[Answer]:
    async with aclosing(together(gateway.runtime.pipeline, one, MORE)) as answers:
        return [answer async for answer in answers]


def test_each_prompt_is_held_booked_and_on_file(gateway: Assembled, answers: Callable[..., None]) -> None:
    answers(a=WHOLE, b=WHOLE, c=WHOLE)
    one = asking()
    assert len(gateway.do(read(gateway, one))) == 2
    assert [gateway.row(call)["status"] for call in each(one)] == [200, 200, 200]
    gateway.assert_settled(*each(one))


def test_one_that_fails_ends_the_others(gateway: Assembled, answers: Callable[..., None]) -> None:
    answers(a=HANGING, b=Script(status=500, headers=JSON), c=HANGING)
    one = asking()
    with pytest.raises(BackendUnavailable):
        gateway.do(read(gateway, one))
    assert [gateway.row(call)["status"] for call in each(one)] == [499, 502, 499]
    gateway.assert_settled(*each(one))


def test_a_client_that_leaves_ends_all(gateway: Assembled, answers: Callable[..., None]) -> None:
    answers(a=HANGING, b=WHOLE, c=HANGING)
    one, before = asking(), len(gateway.fake.requests)

    def seen() -> list[Seen]:
        """The requests that have begun to be answered."""
        return [s for s in gateway.fake.requests[before:] if s.path == PATH and s.written]

    async def leave() -> None:
        task = asyncio.create_task(read(gateway, one))
        await until(lambda: [s.whole for s in seen()].count(True) == 1 and len(seen()) == 3)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await until(lambda: all(s.over.is_set() for s in seen()))

    gateway.do(leave())
    assert [s.left_early for s in seen()].count(True) == 2
    gateway.assert_settled(*each(one))
