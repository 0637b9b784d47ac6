"""Redis loses its counters in the middle of everything: nothing is overspent; afterwards they are the files' sums."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from gateway.state import Hold, Limit, OverLimit, StateUnavailable
from gateway.state.counters import Counter
from gateway.state.redis.counts import epoch_keys, open_key
from gateway.state.sqlite.budgets import SqliteBudgets
from tests.fakes.redis import RedisServer
from tests.fakes.redis_groups import cluster, sentinel_group
from tests.gateway.state.redis.machine import Machine, Process, machine, machines, process, until

Disaster = Callable[[RedisServer], object]


def flush(server: RedisServer) -> None:
    server.admin.flushall()


def kill(server: RedisServer) -> None:
    server.kill()
    server.start()


def empty(server: RedisServer) -> None:
    server.kill()
    server.restart(empty=True)


def shorten(server: RedisServer) -> None:
    """A restart that lost the end of its file, as `appendfsync everysec` may."""
    server.kill()
    log = next(server.folder.glob("*.aof"))
    log.write_bytes(log.read_bytes()[: -max(1, log.stat().st_size // 3)])
    server.start()


class Books:
    """What requests hold and have used by their own account; `most` is the largest sum there ever was."""

    def __init__(self) -> None:
        self.used = self.held = self.most = self.admitted = self.refused = self.unknown = 0

    def move(self, held: int, used: int = 0) -> None:
        self.held += held
        self.used += used
        self.most = max(self.most, self.used + self.held)

    async def request(self, one: Machine, hold: Hold, spent: int, lasts_s: float) -> None:
        """One request's whole life. Its amount counts as set aside from the moment that it was admitted."""
        asked = hold.amounts["tokens"]
        try:
            await one.budgets.hold(hold)
        except OverLimit:
            self.refused += 1
            return
        except StateUnavailable:
            self.unknown += 1
            await one.budgets.settle(hold.request_id, {})
            return
        self.admitted += 1
        self.move(asked)
        await asyncio.sleep(lasts_s)
        self.move(-asked, spent)
        await one.budgets.settle(hold.request_id, {"tokens": spent, "requests": 1})


async def told(fleet: list[Machine], books: Books, *limits: Limit) -> None:
    """Wait until the counters in Redis are the sums of the files, and nothing is held."""

    async def same() -> bool:
        return all([await one.standing(*limits) == [(books.used, 0)] for one in fleet])

    for one in fleet:
        await until(lambda one=one: recovered(one), "the counters come back")  # type: ignore[misc]
    await until(same, f"{books.used} used, 0 held everywhere")
    files = [await one.spent(*limits) for one in fleet]
    assert [sum(column) for column in zip(*(found[0] for found in files), strict=True)] == [books.used, 0]
    assert await fleet[0].budgets.open_holds() == []


async def recovered(one: Machine) -> bool:
    await one.budgets.recover(lambda owner: owner == "alive")
    return True


def overspends_never(url: str, folder: Path, disaster: Callable[[], object], seed: int, times: int = 2) -> None:
    """Two machines, more asked than there is; the disaster comes at random moments."""
    chance, limit, books = random.Random(seed), Limit("tokens", "day", 1_500), Books()

    async def requests(one: Machine, stream: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            hold = one.asked(f"{one.node}-{stream}-{number}", chance.randint(1, 40), limit)
            spent = chance.randint(0, min(8, hold.amounts["tokens"]))
            await books.request(one, hold, spent, chance.random() * 0.1)
            await asyncio.sleep(chance.random() * 0.05)

    async def scenario() -> None:
        async with machines(url, folder, 2) as fleet:
            load = [asyncio.create_task(requests(one, stream)) for one in fleet for stream in range(8)]
            for _ in range(times):
                await asyncio.sleep(chance.random())
                await asyncio.to_thread(disaster)
            admitted = books.admitted
            await until(lambda: nearly_spent(), "the budget is spent")
            over.set()
            await asyncio.gather(*load)
            assert books.most <= limit.amount
            assert books.admitted > admitted  # work went on
            await told(fleet, books, limit)

    async def nearly_spent() -> bool:
        return books.refused > 20 and books.used > limit.amount * 0.9

    over = asyncio.Event()
    asyncio.run(scenario())


SEEDS = pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.prove) for seed in range(1, 5))])


@SEEDS
@pytest.mark.parametrize("disaster", [flush, empty, kill, shorten])
def test_nothing_is_overspent_when_redis_forgets(tmp_path: Path, disaster: Disaster, seed: int) -> None:
    with RedisServer(tmp_path / "redis", {"appendfsync": "everysec"}) as server:
        overspends_never(server.url, tmp_path, lambda: disaster(server), seed)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_overspent_when_sentinel_fails_over(tmp_path: Path, seed: int) -> None:
    """With `min-replicas-to-write`, as a start asks for: else the old master goes on admitting for a while."""
    with sentinel_group(tmp_path / "redis") as group:
        for server in (group.master, group.replica):
            server.admin.config_set("min-replicas-to-write", 1)
        overspends_never(group.url, tmp_path, group.failover, seed, times=1)


@SEEDS
def test_nothing_is_overspent_when_the_owner_of_a_slot_dies(tmp_path: Path, seed: int) -> None:
    with cluster(tmp_path / "redis") as joined:
        owner = joined.owner(open_key("acme"))

        def die() -> None:
            owner.kill()
            owner.start()
            joined.until_whole()

        overspends_never(joined.url, tmp_path, die, seed, times=1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", {"appendfsync": "everysec"}) as running:
        yield running


async def spend(one: Machine, tokens: int) -> None:
    hold = one.asked(f"{one.node} spends {tokens}", tokens)
    await one.budgets.hold(hold)
    await one.budgets.settle(hold.request_id, {"tokens": tokens, "requests": 1})


async def refused(one: Machine, tokens: int) -> None:
    with pytest.raises(OverLimit):
        await one.budgets.hold(one.asked(f"{one.node} asks {tokens}", tokens))


@pytest.mark.parametrize("disaster", [flush, empty, kill])
def test_what_all_machines_spent_and_hold_is_told_before_anything_is_admitted(
    server: RedisServer, tmp_path: Path, disaster: Disaster
) -> None:
    async def scenario() -> None:
        async with machines(server.url, tmp_path, 3) as fleet:
            first, second, third = fleet
            await spend(first, 20)
            await spend(second, 10)
            await third.budgets.hold(third.asked("open", 15))
            await asyncio.to_thread(disaster, server)
            await until(lambda: refusing(first), "the first machine refuses")
            await second.budgets.hold(second.asked("the rest", 5))
            await third.budgets.settle("open", {"tokens": 1})
            await second.budgets.settle("the rest", {"tokens": 1})
            assert [await one.standing() for one in fleet] == [[(32, 0)]] * 3

    async def refusing(one: Machine) -> bool:
        await refused(one, 6)
        return True

    asyncio.run(scenario())


def test_a_machine_that_was_away_tells_its_file_before_its_first_hold(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machine(server.url, tmp_path / "a.db") as first:
            async with machine(server.url, tmp_path / "b.db") as second:
                await spend(second, 30)
            server.admin.flushall()
            assert await first.standing() == [(0, 0)]  # it left in order: nobody waits for it
            async with machine(server.url, tmp_path / "b.db") as second:
                await refused(second, 21)
                await refused(first, 21)

    asyncio.run(scenario())


def test_a_process_that_is_new_finds_what_redis_kept(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        for number in range(3):
            async with machine(server.url, tmp_path / f"{number}.db") as one:
                await spend(one, 10)
                assert await one.standing() == [(10 * (number + 1), 0)]

    asyncio.run(scenario())


def test_the_files_say_again_which_window_is_the_newest(server: RedisServer, tmp_path: Path) -> None:
    """One clock is a day ahead. What it opened stays the newest window, also when Redis has forgotten it."""

    async def scenario() -> None:
        async with (
            machine(server.url, tmp_path / "a.db", ahead_s=86_400) as ahead,
            machine(server.url, tmp_path / "b.db") as behind,
        ):
            await spend(ahead, 40)
            await refused(behind, 11)
            server.admin.flushall()
            await refused(behind, 11)
            await spend(behind, 10)
            assert await ahead.standing() == await behind.standing() == [(50, 0)]

    asyncio.run(scenario())


def test_a_loss_that_comes_before_the_rebuilding_is_done_starts_it_again(server: RedisServer, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with machines(server.url, tmp_path, 2) as fleet:
            await asyncio.gather(*(spend(one, 20) for one in fleet))
            for _ in range(20):
                server.admin.flushall()
                asking = [asyncio.create_task(one.admitted(one.asked("x", 11))) for one in fleet]
                await asyncio.sleep(random.random() * 0.02)
                server.admin.flushall()
                assert await asyncio.gather(*asking) == [False, False]
            await told(fleet, used(40))

    asyncio.run(scenario())


def used(tokens: int) -> Books:
    books = Books()
    books.used = tokens
    return books


def test_the_others_wait_for_a_hold_that_is_being_written_down(server: RedisServer, tmp_path: Path) -> None:
    """Redis had admitted it when it forgot; its file has it a moment later."""

    class Slow(SqliteBudgets):
        async def record(self, hold: Hold, counters: Sequence[Counter]) -> None:
            writing.set()
            await written.wait()
            await super().record(hold, counters)

    async def scenario() -> None:
        async with (
            machine(server.url, tmp_path / "a.db", kind=Slow) as one,
            machine(server.url, tmp_path / "b.db") as other,
        ):
            holding = asyncio.create_task(one.budgets.hold(one.asked("slow", 10)))
            await writing.wait()
            server.admin.flushall()
            asking = asyncio.create_task(other.admitted(other.asked("all", 50)))
            await until(begun, "the rebuilding begins")
            await asyncio.sleep(0.5)  # the time that a rebuilding without it would need
            assert not asking.done()
            written.set()
            assert await holding
            assert not await asking
            assert await other.standing() == [(0, 10)]

    async def begun() -> bool:
        return bool(server.admin.hlen(epoch_keys("acme")[1]))

    writing, written = asyncio.Event(), asyncio.Event()
    asyncio.run(scenario())


def test_a_process_frozen_between_redis_and_its_file_does_not_send_what_others_did_not_wait_for(
    server: RedisServer, tmp_path: Path
) -> None:
    """It has Redis's word for 10 tokens; Redis forgets; the others wait for it in vain, then spend everything."""

    async def scenario(running: Process) -> None:
        async with machine(server.url, tmp_path / "b.db") as other:
            await until(running.frozen, "the process freezes")
            server.admin.flushall()
            await until(lambda: other.admitted(other.asked("all", 50)), "the other is admitted")
            running.resume()
            assert await asyncio.to_thread(running.said) == "unknown"
            assert await other.standing() == [(0, 50)]

    with process("stall", server.url, str(tmp_path / "a.db")) as running:
        assert running.said() == "asking"
        asyncio.run(scenario(running))
