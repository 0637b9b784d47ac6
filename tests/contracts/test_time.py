"""Windows as budgets live through them: minutes that slide, days of a zone, clocks that step. Over every store."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.state import Balance, Hold, Limit, OverLimit, State
from tests.contracts.conftest import Play
from tests.contracts.holds import DAY, MIDNIGHT, NOON, TOKENS, figures, hold, standing

MINUTE = Limit("requests", "minute", 3)
BERLIN = "Europe/Berlin"
YEAR = datetime.fromtimestamp(NOON, ZoneInfo("UTC")).year + 1


async def admitted(state: State, asked: Hold) -> bool:
    try:
        await state.budgets.hold(asked)
    except OverLimit:
        return False
    return True


def request(number: int, at: float) -> Hold:
    return hold(f"r{number}", {"requests": 1}, MINUTE, at=at)


def test_a_minute_slides(play: Play) -> None:
    """Three at 0.0, 20.5 and 59.9 s; each makes room when a whole minute after its second is over."""

    async def scenario(state: State) -> None:
        for number, second in enumerate((0.0, 20.5, 59.9)):
            assert await admitted(state, request(number, NOON + second))
        for number, (second, fits) in enumerate(
            [(59.9, False), (60.9, False), (61.0, True), (80.9, False), (81, True)]
        ):
            assert await admitted(state, request(number + 3, NOON + second)) == fits, second

    play(scenario)


def test_a_minute_says_when_it_fits_and_when_it_is_full_again(play: Play) -> None:
    async def scenario(state: State) -> None:
        for number, second in enumerate((0.0, 20.5, 30.0)):
            (balance,) = await state.budgets.hold(request(number, NOON + second))
        assert balance == Balance("tenant", MINUTE, 0, 3, NOON + 91)
        for asked, fits in ((1, 61), (2, 81), (3, 91), (4, 91)):
            with pytest.raises(OverLimit) as refused:
                await state.budgets.hold(hold("r", {"requests": asked}, MINUTE, at=NOON + 40))
            assert (refused.value.balance, refused.value.fits) == (balance, NOON + fits)
        assert await standing(state.budgets, MINUTE, at=NOON + 85) == [Balance("tenant", MINUTE, 0, 1, NOON + 91)]
        assert await standing(state.budgets, MINUTE, at=NOON + 91) == [Balance("tenant", MINUTE, 0, 0, NOON + 91)]

    play(scenario)


def test_what_a_minute_gave_back_is_free_at_once(play: Play) -> None:
    async def scenario(state: State) -> None:
        wide = Limit("tokens", "minute", 100)
        await state.budgets.hold(hold("r", {"tokens": 100}, wide))
        assert not await admitted(state, hold("r2", {"tokens": 70}, wide, at=NOON + 1))
        await state.budgets.settle("r", {"tokens": 30})
        assert await admitted(state, hold("r3", {"tokens": 70}, wide, at=NOON + 1))

    play(scenario)


def test_a_settlement_goes_to_the_second_of_its_hold_however_late(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(request(0, NOON))
        await state.budgets.hold(request(1, NOON + 50))
        await state.budgets.settle("r0", {"requests": 1})
        assert figures(await standing(state.budgets, MINUTE, at=NOON + 50)) == [(1, 1)]
        assert figures(await standing(state.budgets, MINUTE, at=NOON + 61)) == [(0, 1)]
        await state.budgets.settle("r1", {"requests": 1})
        assert figures(await standing(state.budgets, MINUTE, at=NOON + 110)) == [(1, 0)]
        assert figures(await standing(state.budgets, MINUTE, at=NOON + 111)) == [(0, 0)]

    play(scenario)


def test_a_settlement_goes_to_the_day_of_its_hold(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("yesterday", {"tokens": 50}, TOKENS, at=MIDNIGHT - 1))
        assert figures(await state.budgets.hold(hold("today", {"tokens": 50}, TOKENS, at=MIDNIGHT))) == [(0, 50)]
        await state.budgets.settle("yesterday", {"tokens": 20})
        assert figures(await standing(state.budgets, TOKENS, at=MIDNIGHT)) == [(0, 50)]

    play(scenario)


def test_a_day_is_spent_once_and_opens_at_midnight(play: Play) -> None:
    async def scenario(state: State) -> None:
        assert await admitted(state, hold("r0", {"tokens": 50}, TOKENS, at=MIDNIGHT))
        for number, (at, fits) in enumerate(((MIDNIGHT + DAY - 0.001, False), (MIDNIGHT + DAY, True))):
            assert await admitted(state, hold(f"r{number + 1}", {"tokens": 50}, TOKENS, at=at)) == fits

    play(scenario)


@pytest.mark.parametrize("back", [0.5, 61, 3600, DAY, 40 * DAY])
def test_a_clock_that_went_back_reopens_nothing(play: Play, back: float) -> None:
    async def scenario(state: State) -> None:
        limits = (TOKENS, replace(TOKENS, window="month"), Limit("tokens", "minute", 50))
        spent = await state.budgets.hold(hold("r", {"tokens": 50}, *limits))
        for limit in limits:
            assert not await admitted(state, hold("r2", {"tokens": 1}, limit, at=NOON - back)), limit
        assert await standing(state.budgets, *limits, at=NOON - back) == spent

    play(scenario)


def test_a_clock_that_was_a_day_ahead_leaves_no_window_closed(play: Play) -> None:
    """What was spent by the wrong clock counts in tomorrow; the day that is spent on meanwhile is that same one."""

    async def scenario(state: State) -> None:
        await state.budgets.hold(hold("by the right clock", {"tokens": 30}, TOKENS))
        await state.budgets.hold(hold("a day ahead", {"tokens": 30}, TOKENS, at=NOON + DAY))
        assert await admitted(state, hold("right again", {"tokens": 20}, TOKENS, at=NOON))
        assert not await admitted(state, hold("too much", {"tokens": 1}, TOKENS, at=NOON))
        assert not await admitted(state, hold("too much", {"tokens": 1}, TOKENS, at=NOON + DAY))
        assert await admitted(state, hold("the day after", {"tokens": 50}, TOKENS, at=NOON + 2 * DAY))

    play(scenario)


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 25, 23), (10, 25, 25)])
def test_a_day_of_a_zone_lasts_as_long_as_there(play: Play, month: int, day: int, hours: int) -> None:
    """Around the last Sunday of March and October, when Berlin's clocks change."""
    sunday = next(
        moment
        for moment in (datetime(YEAR, month, day + ahead, tzinfo=ZoneInfo(BERLIN)) for ahead in range(7))
        if moment.weekday() == 6
    ).timestamp()
    last = sunday + hours * 3600

    async def scenario(state: State) -> None:
        asked = replace(hold("r", {"tokens": 50}, TOKENS, at=sunday - 1), zone=BERLIN)
        assert [balance.resets for balance in await state.budgets.hold(asked)] == [sunday]
        for number, (at, resets) in enumerate(((sunday, last), (last, None))):
            (balance,) = await state.budgets.hold(replace(asked, request_id=f"{number}", at=at))
            assert resets is None or balance.resets == resets
            later = at + hours * 3600 - 0.001 if resets else at + 3600
            assert not await admitted(state, replace(asked, request_id=f"{number} again", at=later))

    play(scenario)


def test_balances_stand_in_the_zone_asked(play: Play) -> None:
    async def scenario(state: State) -> None:
        for zone, hours in (("UTC", 24), ("Asia/Tokyo", 15), ("America/Phoenix", 31)):  # none has summer time
            (balance,) = await state.budgets.balances("acme", "k1", [TOKENS], [], MIDNIGHT + 8.5 * 3600, zone)
            assert balance.resets == MIDNIGHT + hours * 3600, zone

    play(scenario)
