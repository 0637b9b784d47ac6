"""Processes that can be ended: each question within its deadline, and the next one gets an answer again."""

import asyncio
import os
import signal
from typing import Any

import orjson
import pytest

from gateway.schemas.workers import Died, TimeUp, Workers
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
