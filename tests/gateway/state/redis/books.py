"""What requests hold and have used by their own account, held against the counters and the files."""

import asyncio

from gateway.state import Hold, Limit, OverLimit, StateUnavailable
from tests.gateway.state.redis.machine import Machine, until


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
