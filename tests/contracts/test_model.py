"""Holds, checkpoints, settlements and deaths in any order, against a model of a page."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway.state import Amounts, Balance, Hold, Limit, OverLimit, State
from gateway.state.open import open_state
from gateway.state.windows import span

MIDNIGHT = span("month", time.time())[1]  # a minute, a day and a month begin; to come, for `recover` forgets the past
TIMES = [MIDNIGHT + seconds for seconds in (-86_400, -61, -0.001, 0, 60)]
TENANT_LIMITS = (Limit("tokens", "day", 100), Limit("usd", "month", 5_000), Limit("requests", "minute", 4))
KEY_LIMITS = (Limit("tokens", "minute", 60), Limit("tokens", "request", 40), Limit("tokens", "day", 80))
SECONDS = {"minute": 60, "day": 86_400}

Name = tuple[str, str, str, str, float]


@dataclass
class Open:
    """A hold of the model: what it set aside on which counters, and what it was last known to have spent."""

    amounts: Amounts
    names: set[Name]
    owner: str
    spent: dict[str, int] = field(default_factory=dict)


def name(scope: str, who: str, limit: Limit, at: float) -> Name:
    start = (at >= MIDNIGHT) * 1.0 if limit.window == "month" else at // SECONDS[limit.window]
    return scope, who, limit.unit, limit.window, start


async def close(state: State) -> None:
    await state.close()


class Ledger(RuleBasedStateMachine):
    """The rules act on both; the invariant compares them."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        if self.url.startswith("redis"):
            redis.Redis.from_url(self.url).flushall()
        self.loop = asyncio.Runner()
        self.state = self.loop.run(open_state(self.url))
        self.open: dict[str, Open] = {}
        self.gone: set[str] = set()
        self.used: dict[Name, int] = {}
        self.held: dict[Name, int] = {}

    def teardown(self) -> None:
        self.loop.run(close(self.state))
        self.loop.close()

    @rule(
        number=st.integers(0, 30),
        key=st.sampled_from(["k1", "k2"]),
        owner=st.sampled_from(["a", "b"]),
        at=st.sampled_from(TIMES),
        amounts=st.fixed_dictionaries(
            {"requests": st.just(1)}, optional={"tokens": st.integers(0, 50), "usd": st.integers(0, 3_000)}
        ),
    )
    def hold(self, number: int, key: str, owner: str, at: float, amounts: Amounts) -> None:
        request_id = f"r{number}"
        limits = [("tenant", "acme", limit) for limit in TENANT_LIMITS] + [("key", key, limit) for limit in KEY_LIMITS]
        binding = [(scope, who, limit) for scope, who, limit in limits if limit.unit in amounts]
        fits = (
            request_id in self.open or request_id in self.gone or all(self.fits(*one, at, amounts) for one in binding)
        )
        asked = Hold(request_id, "acme", key, owner, amounts, TENANT_LIMITS, KEY_LIMITS, at)
        try:
            self.loop.run(self.state.budgets.hold(asked))
        except OverLimit:
            assert not fits
            return
        assert fits
        if request_id not in self.open and request_id not in self.gone:
            names = {name(scope, who, limit, at) for scope, who, limit in binding if limit.window != "request"}
            self.open[request_id] = Open(amounts, names, owner)
            for counter in names:
                self.held[counter] = self.held.get(counter, 0) + amounts[counter[2]]  # type: ignore[index]

    def fits(self, scope: str, who: str, limit: Limit, at: float, amounts: Amounts) -> bool:
        if limit.window == "request":
            return amounts[limit.unit] <= limit.amount
        counter = name(scope, who, limit, at)
        return self.used.get(counter, 0) + self.held.get(counter, 0) + amounts[limit.unit] <= limit.amount

    @precondition(lambda self: self.open)
    @rule(data=st.data(), tokens=st.integers(-1, 60))
    def checkpoint(self, data: st.DataObject, tokens: int) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.open)))
        self.loop.run(self.state.budgets.checkpoint(request_id, {"tokens": tokens}))
        self.open[request_id].spent["tokens"] = tokens

    @rule(number=st.integers(0, 30), tokens=st.integers(-1, 60), usd=st.integers(0, 4_000))
    def settle(self, number: int, tokens: int, usd: int) -> None:
        request_id = f"r{number}"
        balances = self.loop.run(self.state.budgets.settle(request_id, {"tokens": tokens, "usd": usd, "requests": 1}))
        assert bool(balances) == (request_id in self.open)
        if request_id in self.open:
            self.book(request_id, {"tokens": tokens, "usd": usd, "requests": 1})

    @rule(alive=st.sampled_from(["a", "b"]))
    def the_other_dies(self, alive: str) -> None:
        recovered = self.loop.run(self.state.budgets.recover(alive.__eq__))
        assert set(recovered) == {request_id for request_id, held in self.open.items() if held.owner != alive}
        for request_id in recovered:
            self.book(request_id, self.open[request_id].spent)

    def book(self, request_id: str, spent: dict[str, int]) -> None:
        held = self.open.pop(request_id)
        self.gone.add(request_id)
        for counter in held.names:
            amount = held.amounts[counter[2]]  # type: ignore[index]
            self.held[counter] -= amount
            self.used[counter] = self.used.get(counter, 0) + max(0, min(amount, spent.get(counter[2], 0)))

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        self.loop.run(self.look())

    async def look(self) -> None:
        assert set(await self.state.budgets.open_holds()) == set(self.open)
        for at in TIMES:
            for key in ("k1", "k2"):
                for balance in await self.state.budgets.balances("acme", key, TENANT_LIMITS, KEY_LIMITS, at):
                    self.compare(balance, key, at)

    def compare(self, balance: Balance, key: str, at: float) -> None:
        assert balance.used + balance.held <= balance.limit.amount
        if balance.limit.window != "request":
            counter = name(balance.scope, "acme" if balance.scope == "tenant" else key, balance.limit, at)
            assert (balance.used, balance.held) == (self.used.get(counter, 0), self.held.get(counter, 0))


@pytest.mark.parametrize("url", ["memory", "redis"], indirect=True)
def test_any_order_of_events_agrees_with_the_model(url: str) -> None:
    ledger = type("Ledger", (Ledger,), {"url": url})
    run_state_machine_as_test(ledger, settings=settings(max_examples=25, stateful_step_count=25, deadline=None))
