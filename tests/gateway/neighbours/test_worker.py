import asyncio
import gc
import threading
import time
from functools import partial

import pytest

from gateway.neighbours.worker import Worker


def test_work_is_done_in_one_other_thread_and_in_its_order() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        done.append(number)
        return threading.get_ident()

    async def scenario() -> None:
        worker = Worker("test")
        (thread,) = set(await asyncio.gather(*(worker.do(partial(work, number)) for number in range(20))))
        assert thread != threading.get_ident()
        assert done == list(range(20))

    asyncio.run(scenario())


def test_a_failure_is_the_callers_and_the_next_work_is_done() -> None:
    async def scenario() -> None:
        worker = Worker("test")
        with pytest.raises(ZeroDivisionError):
            await worker.do(lambda: 1 // 0)
        assert await worker.do(lambda: 7) == 7

    asyncio.run(scenario())


def test_a_caller_that_is_cancelled_or_gone_stops_no_work() -> None:
    done = threading.Event()

    def slow() -> None:
        time.sleep(0.1)
        done.set()

    async def leaves(worker: Worker) -> None:
        task = asyncio.create_task(worker.do(slow))
        await asyncio.sleep(0.01)
        task.cancel()

    worker = Worker("test")
    asyncio.run(leaves(worker))  # its loop is closed when the work ends
    assert done.wait(30)

    async def again() -> int:
        return await worker.do(lambda: 7)

    assert asyncio.run(again()) == 7


def test_the_thread_ends_with_its_worker() -> None:
    async def scenario() -> threading.Thread:
        return await Worker("test").do(threading.current_thread)

    thread = asyncio.run(scenario())
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()
