"""Keys, answers and the journal, the same over every store. Budgets have a file of their own."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.state import COLUMNS, Entry, Key, Limit, State, Tenant
from gateway.state.open import open_state
from tests.contracts.conftest import Scenario

Play = Callable[[Scenario], None]

LIMITS = (Limit("tokens", "day", 100_000), Limit("usd", "month", 12_345_678_901))
ACME = Tenant("acme", LIMITS, created=10.5)
KEY = Key("k1", "acme", bytes(range(32)), (Limit("requests", "minute", 60),), created=11.25, expires=99.5)
ENTRY = Entry("a", "p", b'{"x": 1}', 100.0, 200.0, b"\x00\xff" * 4, ("acme", "small"), "What is a token?")


def test_a_tenant_is_added_once(play: Play) -> None:
    async def scenario(state: State) -> None:
        assert await state.keys.add_tenant(ACME)
        assert not await state.keys.add_tenant(replace(ACME, limits=()))
        assert await state.keys.tenant("acme") == ACME
        assert await state.keys.tenant("nobody") is None

    play(scenario)


def test_of_many_adding_one_tenant_at_once_one_succeeds(play: Play) -> None:
    async def scenario(state: State) -> None:
        added = await asyncio.gather(*(state.keys.add_tenant(ACME) for _ in range(20)))
        assert sum(added) == 1

    play(scenario)


def test_tenants_come_by_name(play: Play) -> None:
    async def scenario(state: State) -> None:
        for name in ("zeta", "acme", "Übung {x}:y"):
            await state.keys.add_tenant(Tenant(name, (), 1.0))
        assert [tenant.name for tenant in await state.keys.tenants()] == ["acme", "zeta", "Übung {x}:y"]

    play(scenario)


def test_a_key_is_found_with_its_tenant(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.keys.add_tenant(ACME)
        await state.keys.add_key(KEY)
        assert await state.keys.find("k1") == (KEY, ACME)
        assert await state.keys.find("k2") is None

    play(scenario)


def test_a_key_needs_a_tenant_and_a_free_id(play: Play) -> None:
    async def scenario(state: State) -> None:
        with pytest.raises(ValueError, match="no tenant 'acme'"):
            await state.keys.add_key(KEY)
        await state.keys.add_tenant(ACME)
        await state.keys.add_key(KEY)
        with pytest.raises(ValueError, match="taken"):
            await state.keys.add_key(replace(KEY, digest=b"another"))
        assert await state.keys.keys("acme") == [KEY]

    play(scenario)


def test_a_tenants_keys_come_oldest_first(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.keys.add_tenant(ACME)
        await state.keys.add_tenant(Tenant("other", (), 1.0))
        young, old = replace(KEY, id="a", created=2.0, revoked=3.0), replace(KEY, id="b", created=1.0)
        for key in (young, old, replace(KEY, id="c", tenant="other")):
            await state.keys.add_key(key)
        assert await state.keys.keys("acme") == [old, young]
        assert await state.keys.keys("nobody") == []

    play(scenario)


def test_the_first_revocation_stands(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.keys.add_tenant(ACME)
        await state.keys.add_key(KEY)
        assert not await state.keys.revoke("k2", 50.0)
        assert await state.keys.revoke("k1", 50.5)
        assert await state.keys.revoke("k1", 60.0)
        assert await state.keys.find("k1") == (replace(KEY, revoked=50.5), ACME)

    play(scenario)


def test_an_answer_comes_back_as_it_was_put(play: Play) -> None:
    async def scenario(state: State) -> None:
        exact = replace(ENTRY, key="b", vector=None, tags=())
        await state.answers.put(ENTRY)
        await state.answers.put(exact)
        assert await state.answers.get("a", 150.0) == ENTRY
        assert await state.answers.get("b", 150.0) == exact
        assert await state.answers.get("c", 150.0) is None
        assert await state.answers.count() == 2

    play(scenario)


def test_an_answer_expires_at_its_time(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.answers.put(ENTRY)
        assert await state.answers.get("a", 199.9) == ENTRY
        assert await state.answers.get("a", 200.0) is None
        assert await state.answers.vectors("p", 200.0) == []

    play(scenario)


def test_a_put_sweeps_what_has_expired(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.answers.put(ENTRY)
        await state.answers.put(replace(ENTRY, key="b", created=200.0, expires=300.0))
        assert await state.answers.count() == 1
        assert await state.answers.purge("acme") == 1

    play(scenario)


def test_a_put_replaces_the_entry_and_its_tags(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.answers.put(ENTRY)
        newer = replace(ENTRY, body=b"{}", vector=None, created=120.0, tags=("other",))
        await state.answers.put(newer)
        assert await state.answers.get("a", 150.0) == newer
        assert await state.answers.vectors("p", 150.0) == []
        assert await state.answers.purge("acme") == 0
        assert await state.answers.count() == 1

    play(scenario)


def test_vectors_are_those_of_the_partition_oldest_first(play: Play) -> None:
    async def scenario(state: State) -> None:
        young = replace(ENTRY, key="0", created=110.0, vector=b"young")
        for entry in (young, ENTRY, replace(ENTRY, key="b", partition="q"), replace(ENTRY, key="c", vector=None)):
            await state.answers.put(entry)
        assert await state.answers.vectors("p", 150.0) == [("a", ENTRY.vector), ("0", b"young")]
        assert await state.answers.vectors("none", 150.0) == []

    play(scenario)


def test_purge_takes_what_has_the_tag_or_all(play: Play) -> None:
    async def scenario(state: State) -> None:
        for number, tag in enumerate(("red", "red", "blue", "green")):
            await state.answers.put(replace(ENTRY, key=str(number), tags=("all of them", tag)))
        assert await state.answers.purge("none") == 0
        assert await state.answers.purge("red") == 2
        assert [key for key, _ in await state.answers.vectors("p", 150.0)] == ["2", "3"]
        assert await state.answers.purge() == 2
        assert await state.answers.count() == 0

    play(scenario)


def row(number: int, **columns: Any) -> dict[str, Any]:
    """A journal row; two a day from 1970-01-01 noon, prices on every third."""
    return dict.fromkeys(COLUMNS) | {
        "request_id": f"r{number:02}",
        "at": 43_200.0 * (number + 1),
        "tenant": "acme" if number % 2 else "zeta",
        "key": "k",
        "model": "small",
        "prompt": "answer" if number < 5 else None,
        "status": 200,
        "input_tokens": 2**number,
        "output_tokens": number,
        "cached_tokens": 1,
        "cost_nano": 10**12 + number if number % 3 == 0 else None,
        "duration_ms": 1.5,
        "detail": '{"stages": []}',
        **columns,
    }


def test_a_row_is_written_once(play: Play) -> None:
    async def scenario(state: State) -> None:
        await state.journal.write(row(1))
        await state.journal.write(row(1, input_tokens=7, at=5.0))
        assert await state.journal.read("r01") == row(1)
        assert await state.journal.read("r02") is None
        assert len(await state.journal.latest(10)) == 1

    play(scenario)


def test_a_row_has_exactly_the_columns(play: Play) -> None:
    async def scenario(state: State) -> None:
        with pytest.raises(ValueError, match=r"lacks \['at'\].*unknown \['extra'\]"):
            await state.journal.write({name: value for name, value in row(1, extra=1).items() if name != "at"})

    play(scenario)


def test_the_latest_rows_come_newest_first_without_detail(play: Play) -> None:
    async def scenario(state: State) -> None:
        for number in (3, 1, 2, 0):
            await state.journal.write(row(number))
        latest = await state.journal.latest(3)
        assert [found["request_id"] for found in latest] == ["r03", "r02", "r01"]
        assert latest[0] == {name: value for name, value in row(3).items() if name != "detail"}
        assert [found["request_id"] for found in await state.journal.latest(9, "acme")] == ["r03", "r01"]
        assert await state.journal.latest(0) == []

    play(scenario)


SUMMED = ("input_tokens", "output_tokens", "cached_tokens")


@pytest.mark.parametrize(
    "by", [(), ("tenant",), ("day",), ("day", "tenant", "key", "model"), ("prompt", "prompt_version")]
)
def test_usage_is_the_sum_of_the_rows(play: Play, by: tuple[str, ...]) -> None:
    rows = [row(number) for number in range(12)]

    async def scenario(state: State) -> None:
        for written in rows:
            await state.journal.write(written)
        usage = await state.journal.usage(by, 0.0, 1e9)
        assert sum(group["requests"] for group in usage) == len(rows)
        for column in SUMMED:
            assert sum(group[column] for group in usage) == sum(written[column] for written in rows)
        assert sum(group["cost_nano"] or 0 for group in usage) == sum(written["cost_nano"] or 0 for written in rows)
        assert all(tuple(group)[: len(by)] == by for group in usage)

    play(scenario)


def test_usage_is_ordered_by_the_group_and_knows_no_price_from_zero(play: Play) -> None:
    async def scenario(state: State) -> None:
        for number in (4, 5, 6):
            await state.journal.write(row(number, cost_nano=0 if number == 6 else None))
        assert await state.journal.usage(["prompt", "day"], 0.0, 1e9) == [
            {"prompt": None, "day": "1970-01-04", "requests": 2, "input_tokens": 96, "output_tokens": 11}
            | {"cached_tokens": 2, "cost_nano": 0},
            {"prompt": "answer", "day": "1970-01-03", "requests": 1, "input_tokens": 16, "output_tokens": 4}
            | {"cached_tokens": 1, "cost_nano": None},
        ]

    play(scenario)


def test_usage_takes_since_and_leaves_until(play: Play) -> None:
    async def scenario(state: State) -> None:
        for number in range(6):
            await state.journal.write(row(number))
        inside = await state.journal.usage([], row(1)["at"], row(4)["at"])
        assert inside[0]["input_tokens"] == 2 + 4 + 8
        assert (await state.journal.usage([], 0.0, 1e9, "acme"))[0]["input_tokens"] == 2 + 8 + 32
        assert await state.journal.usage([], 0.0, 1.0) == []

    play(scenario)


def test_usage_names_an_unknown_group(play: Play) -> None:
    async def scenario(state: State) -> None:
        with pytest.raises(ValueError, match="cannot be grouped by detail; allowed are day, tenant"):
            await state.journal.usage(["day", "detail"], 0.0, 1.0)

    play(scenario)


def test_what_was_written_is_there_after_reopening(shared_url: str) -> None:
    async def fill() -> None:
        state = await open_state(shared_url)
        await state.keys.add_tenant(ACME)
        await state.journal.write(row(1))
        await state.close()

    async def look() -> None:
        state = await open_state(shared_url)
        assert await state.keys.tenant("acme") == ACME
        assert await state.journal.read("r01") == row(1)
        await state.close()

    asyncio.run(fill())
    asyncio.run(look())
