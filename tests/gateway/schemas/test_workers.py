"""Processes that can be ended: each question within its deadline, and the next one gets an answer again."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import Any

import orjson
import pytest

from gateway.schemas.workers import Died, NoProcess, TimeUp, Workers
from tests.gateway.schemas.hostile import SLOW_PATTERNS, branching, deep, text

LONG_S = 60.0


@pytest.fixture(scope="module")
def workers() -> Workers:
    return Workers()


def ask(workers: Workers, schema: dict[str, Any], instance: str, deadline_s: float = LONG_S) -> dict[str, Any]:
    question = (orjson.dumps(schema), instance.encode(), b"3")
    answer: dict[str, Any] = orjson.loads(asyncio.run(workers.ask(question, deadline_s)))
    return answer


def test_an_answer_has_faults_and_flags_or_why_the_schema_is_refused(workers: Workers) -> None:
    assert ask(workers, {"format": "date"}, '"x"') == {"faults": [], "flags": ["format"]}
    assert ask(workers, {"type": "null"}, "1")["faults"] == ['the top: the value is not of type "null"']
    assert ask(workers, {"type": "null"}, "")["faults"]
    assert ask(workers, {"$ref": "http://elsewhere/"}, "1")["refused"].startswith("it refers to 'http://elsewhere/'")


def test_what_takes_too_long_is_ended_and_the_next_question_is_answered(workers: Workers) -> None:
    with pytest.raises(TimeUp):
        ask(workers, SLOW_PATTERNS, "1", 0.2)
    assert ask(workers, {}, "1")["faults"] == []


def test_what_needs_too_much_memory_ends_its_process_only(workers: Workers) -> None:
    with pytest.raises((Died, TimeUp)):  # the memory goes first, but for a machine that is slow
        ask(workers, branching(), text(deep(40)), 2.0)
    assert ask(workers, {}, "1")["faults"] == []


def test_a_process_that_was_killed_meanwhile_is_started_anew(workers: Workers) -> None:
    ask(workers, {}, "1")
    for worker in workers._free.queue:
        if worker._process:
            os.kill(worker._process.pid, signal.SIGKILL)
            worker._process.wait()
    assert ask(workers, {}, "1")["faults"] == []


def test_several_are_asked_at_once(workers: Workers) -> None:
    async def all() -> list[bytes]:
        return await asyncio.gather(*(workers.ask((b"{}", str(n).encode(), b"3"), LONG_S) for n in range(20)))

    assert {orjson.loads(answer)["faults"] == [] for answer in asyncio.run(all())} == {True}


def test_one_with_many_slow_questions_lets_others_go_first(workers: Workers) -> None:
    """Whoever asks has one process at a time, and a question behind many of another's comes before them."""
    done: list[str] = []

    async def asked(who: str, schema: dict[str, Any]) -> None:
        with suppress(TimeUp):
            await workers.ask((orjson.dumps(schema), b"1", b"3"), 0.2, who)
        done.append(who)

    async def all() -> None:
        slow = [asyncio.create_task(asked("slow", SLOW_PATTERNS)) for _ in range(4)]
        await asyncio.sleep(0)  # they are in the queue
        await asyncio.gather(*(asked(who, {}) for who in ("quick", "other")), *slow)

    ask(workers, {}, "1")
    asyncio.run(all())
    assert {"quick", "other"} < set(done[:4]), done  # a process that is started anew may be slower than two deadlines


def test_a_question_whose_asker_has_left_is_not_asked(workers: Workers) -> None:
    async def leave() -> None:
        first = asyncio.create_task(workers.ask((b"{}", b"1", b"3"), LONG_S, "who"))
        second = asyncio.create_task(workers.ask((orjson.dumps(SLOW_PATTERNS), b"1", b"3"), LONG_S, "who"))
        await asyncio.sleep(0)
        second.cancel()
        await first
        await workers.ask((b"{}", b"1", b"3"), LONG_S, "who")

    asyncio.run(asyncio.wait_for(leave(), LONG_S / 2))


def test_where_no_process_can_be_started_it_is_said_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, real = Workers(), sys.executable
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(NoProcess):
        ask(fresh, {}, "1")
    monkeypatch.setattr(sys, "executable", real)
    assert ask(fresh, {}, "1")["faults"] == []
