"""Holds, checkpoints, settlements, deaths and clocks that step, in any order, against a model of a page.

The model knows windows by their names (a date, a month, a second) and keeps every hold for ever; the store knows them
by their ends and keeps counters. Time begins an hour before a night in which Berlin's clocks change. The rows are all
of one time: Redis lists those of a month only.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.state import Amounts, Balance, Hold, Limit, OverLimit
from tests.contracts.holds import DAY, NOON, row
from tests.contracts.places import Place

BERLIN = ZoneInfo("Europe/Berlin")
YEAR = datetime.fromtimestamp(NOON, BERLIN).year + 1  # to come, as in `holds`
TENANT_LIMITS = (Limit("tokens", "day", 100), Limit("usd", "month", 5_000), Limit("requests", "minute", 4))
KEY_LIMITS = (Limit("tokens", "minute", 60), Limit("tokens", "request", 40), Limit("tokens", "day", 80))
NUMBERS = st.integers(0, 15)
STEPS = [-40 * DAY, -DAY, -3600, -61, -0.5, 0.25, 1, 20, 60, 61, 3600, DAY, 32 * DAY]

Meter = tuple[str, str, str, str]
Name = date | tuple[int, int] | int  # of a day, a month, a second


@dataclass
class Held:
    """A hold of the model: on which windows it counts, what it set aside, what it was last known to have spent."""

    owner: str
    amounts: Amounts
    windows: dict[Meter, Name]
    spent: dict[str, int] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    used: dict[str, int] | None = None  # once it is settled

    def counts(self, meter: Meter) -> tuple[int, int]:
        """Used and held."""
        held = self.amounts.get(meter[2], 0)  # type: ignore[call-overload]
        return (0, held) if self.used is None else (max(0, min(held, self.used.get(meter[2], 0))), 0)


def name(window: str, at: float) -> Name:
    local = datetime.fromtimestamp(at, BERLIN)
    names: dict[str, Name] = {"day": local.date(), "month": (local.year, local.month), "minute": int(at)}
    return names[window]


class Ledger(RuleBasedStateMachine):
    """The rules act on both; the invariants compare them."""

    place: Place

    def __init__(self) -> None:
        super().__init__()
        type(self).place = self.place.emptied()
        self.loop = asyncio.Runner()
        self.state = self.loop.run(self.place.open())
        self.holds: dict[str, Held] = {}
        self.over: set[str] = set()  # settled though never held: a refused request
        self.at = 0.0

    @initialize(month=st.sampled_from([3, 10]))
    def an_hour_before_the_clocks_change(self, month: int) -> None:
        sunday = next(day for day in range(31, 24, -1) if date(YEAR, month, day).weekday() == 6)
        self.at = datetime(YEAR, month, sunday, 1, tzinfo=BERLIN).timestamp()

    def teardown(self) -> None:
        self.everyone_dies()
        for balance in self.balances("k1") + self.balances("k2"):
            assert balance.held == 0
        assert not self.loop.run(self.state.budgets.open_holds())
        self.loop.run(self.closed())
        self.loop.close()

    @rule(step=st.sampled_from(STEPS))
    def the_clock_steps(self, step: float) -> None:
        self.at += step

    @rule(
        number=NUMBERS,
        key=st.sampled_from(["k1", "k2"]),
        owner=st.sampled_from(["a", "b"]),
        amounts=st.fixed_dictionaries(
            {"requests": st.just(1)}, optional={"tokens": st.integers(0, 50), "usd": st.integers(0, 3_000)}
        ),
    )
    def hold(self, number: int, key: str, owner: str, amounts: Amounts) -> None:
        request_id = f"r{number}"
        if request_id in self.over:
            return
        draft = {"request_id": request_id, "at": NOON, "tenant": "acme", "key": key, "model": "small"}
        limits = TENANT_LIMITS, KEY_LIMITS
        asked = Hold(request_id, "acme", key, owner, amounts, *limits, self.at, BERLIN.key, draft)
        fits = request_id in self.holds or all(self.fits(*bound, amounts) for bound in self.bound(key))
        try:
            self.loop.run(self.state.budgets.hold(asked))
        except OverLimit:
            assert not fits
        else:
            assert fits
            meters = [meter for meter, _ in self.bound(key) if meter[3] != "request" and meter[2] in amounts]
            self.holds.setdefault(request_id, Held(owner, amounts, {meter: self.window(meter) for meter in meters}))

    @precondition(lambda self: self.open())
    @rule(data=st.data(), tokens=st.integers(-1, 60), told=st.booleans())
    def checkpoint(self, data: st.DataObject, tokens: int, told: bool) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.open())))
        columns = {"input_tokens": tokens} if told else None
        self.loop.run(self.state.budgets.checkpoint(request_id, {"tokens": tokens}, columns))
        self.holds[request_id].spent["tokens"] = tokens
        self.holds[request_id].columns.update(columns or {})

    @precondition(lambda self: self.open())
    @rule(data=st.data(), tokens=st.sampled_from([-1, 0, 1, 20, 60]), usd=st.integers(0, 4_000))
    def settle(self, data: st.DataObject, tokens: int, usd: int) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.open())))
        spent: dict[Any, int] = {"tokens": tokens, "usd": usd, "requests": 1}
        assert self.loop.run(self.state.budgets.settle(request_id, spent, row(request_id)))
        self.holds[request_id].used = spent

    @rule(number=NUMBERS)
    def settle_what_is_not_held(self, number: int) -> None:
        request_id = f"r{number}"
        if request_id not in self.open():
            assert self.loop.run(self.state.budgets.settle(request_id, {"tokens": 60}, row(request_id))) == []
            if request_id not in self.holds:
                self.over.add(request_id)

    @rule(alive=st.sampled_from(["a", "b"]))
    def the_other_dies(self, alive: str) -> None:
        self.dies({"a", "b"} - {alive})

    @rule()
    def everyone_dies(self) -> None:
        self.dies({"a", "b"})

    def dies(self, dead: set[str]) -> None:
        recovered = self.loop.run(self.state.budgets.recover(lambda owner: owner not in dead))
        assert sorted(recovered) == sorted(name for name, held in self.open().items() if held.owner in dead)
        for request_id in recovered:
            held = self.holds[request_id]
            held.used = held.spent
            found = self.loop.run(self.state.journal.read(request_id))
            assert found is not None
            assert found | held.columns == found
            assert (found["error"], found["model"]) == ("process_died", "small")

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        for key in ("k1", "k2"):
            for balance, (meter, limit) in zip(self.balances(key), self.bound(key), strict=True):
                assert balance.limit == limit
                assert balance.used + balance.held <= limit.amount
                assert (balance.used, balance.held) == self.counts(meter)

    @invariant()
    def each_request_is_open_or_has_its_one_row(self) -> None:
        assert sorted(self.loop.run(self.state.budgets.open_holds())) == sorted(self.open())
        rows = self.loop.run(self.state.journal.latest(1_000))
        over = self.over | {request_id for request_id, held in self.holds.items() if held.used is not None}
        assert sorted(found["request_id"] for found in rows) == sorted(over)

    async def closed(self) -> None:
        await self.state.close()

    def balances(self, key: str) -> list[Balance]:
        budgets = self.state.budgets
        return self.loop.run(budgets.balances("acme", key, TENANT_LIMITS, KEY_LIMITS, self.at, BERLIN.key))

    def open(self) -> dict[str, Held]:
        return {request_id: held for request_id, held in self.holds.items() if held.used is None}

    def bound(self, key: str) -> Iterator[tuple[Meter, Limit]]:
        for scope, who, limits in (("tenant", "acme", TENANT_LIMITS), ("key", key, KEY_LIMITS)):
            for limit in limits:
                yield (scope, who, limit.unit, limit.window), limit

    def window(self, meter: Meter) -> Name:
        """Where the meter stands now: never before its newest window."""
        names = [held.windows[meter] for held in self.holds.values() if meter in held.windows]
        return max([name(meter[3], self.at), *names])

    def counts(self, meter: Meter) -> tuple[int, int]:
        """Used and held of what counts now: the same day or month, or a second of the last minute."""
        if meter[3] == "request":
            return 0, 0
        now = self.window(meter)
        seconds = range(now - 60, now + 1) if isinstance(now, int) else (now,)
        live = [held.counts(meter) for held in self.holds.values() if held.windows.get(meter) in seconds]
        return sum(used for used, _ in live), sum(held for _, held in live)

    def fits(self, meter: Meter, limit: Limit, amounts: Amounts) -> bool:
        return limit.unit not in amounts or sum(self.counts(meter)) + amounts[limit.unit] <= limit.amount


def play(place: Place, examples: int, steps: int) -> None:
    machine = type("Ledger", (Ledger,), {"place": place})
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=steps))


@pytest.mark.parametrize(("place", "examples"), [("memory", 100), ("redis", 50)], indirect=["place"])
def test_any_order_of_events_agrees_with_the_model(place: Place, examples: int) -> None:
    play(place, examples, 25)


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("place", ["memory", "redis"], indirect=True)
def test_any_long_order_of_events_agrees_with_the_model(place: Place) -> None:
    play(place, 1000, 60)
