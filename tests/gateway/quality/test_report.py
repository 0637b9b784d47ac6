"""The table: what was found by version, window and engine, and what is told to have changed."""

import asyncio
from datetime import date
from typing import Any

import pytest

from gateway.quality.report import by_of, report
from gateway.state.open import open_state
from gateway.usage import Period
from serving.events import Usage
from tests.gateway.cli.journal import record

DAY, DAY_S = date(2026, 9, 21), 86_400  # of the journal's rows
AT = 1_790_000_000.0
TODAY = Period(DAY, DAY)


def rows(number: int, *words: str, tokens: int = 50, days: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """So many of the same, one a second."""
    return [
        record(
            f"{words}-{changes}-{tokens}-{days}-{one}", at=AT + days * DAY_S + one, checks=words, status=200,
            spent=Usage(200, tokens), **changes,
        ).row()
        for one in range(number)
    ]  # fmt: skip


def told(written: list[dict[str, Any]], by: tuple[str, ...], over: Period = TODAY) -> list[dict[str, Any]]:
    async def run() -> list[dict[str, Any]]:
        state = await open_state("sqlite://:memory:")
        for row in written:
            await state.journal.write(row)
        found = await report(state.journal, by, over)
        await state.close()
        return found

    return asyncio.run(run())


def test_a_version_is_compared_with_the_one_before_it() -> None:
    written = rows(249, prompt_version="v3") + rows(1, "truncated", prompt_version="v3")
    later = rows(231, prompt_version="v4") + rows(19, "truncated", prompt_version="v4")
    written += [row | {"at": row["at"] + 1_000} for row in later]
    before, after = told(written, ("prompt", "prompt_version"))
    assert (before["prompt_version"], before["against"], before["truncated"]["change"]) == ("v3", None, None)
    assert after["against"] == {"prompt_version": "v3", "answers": 250}
    assert after["truncated"] == {
        "count": 19, "of": 250, "share": 0.076, "low": 0.0492, "high": 0.1156, "change": "more",
    }  # fmt: skip
    assert after["invalid"] == {"count": 0, "of": 250, "share": 0.0, "low": 0.0, "high": 0.0151, "change": None}


def test_without_a_version_a_group_is_compared_with_itself_in_the_days_before() -> None:
    written = rows(100, "invalid", "repaired", days=-1) + rows(100) + rows(100, model="new")
    new, small = told(written, ("model",))
    assert (new["model"], new["against"], new["answers"]) == ("new", None, 100)
    assert small["against"] == {"since": "2026-09-20", "until": "2026-09-20", "answers": 100}
    assert small["invalid"]["change"] == small["repaired"]["change"] == "fewer"


def test_tool_calls_fail_by_those_that_were_made() -> None:
    (row,) = told(rows(80) + rows(15, "called") + rows(5, "called", "tool_failed", "truncated"), ())
    assert (row["tool_failed"]["count"], row["tool_failed"]["of"], row["truncated"]["of"]) == (5, 20, 100)
    (none,) = told(rows(3), ())
    assert (none["tool_failed"]["share"], none["tool_failed"]["of"]) == (None, 0)


def test_a_drift_of_lengths_is_told_by_its_size_and_its_significance() -> None:
    written = [row for tokens in range(100, 200) for row in rows(1, tokens=tokens, fingerprint="a")]
    written += [row for tokens in range(130, 260) for row in rows(1, tokens=tokens, days=1, fingerprint="b")]
    before, after = told(written, ("fingerprint",), Period(DAY, date(2026, 9, 22)))
    assert before["output_tokens"]["drift"] is None
    lengths = after["output_tokens"]
    assert (lengths["of"], lengths["mean"], lengths["drift"], lengths["changed"]) == (130, 194.5, 0.301, True)
    assert lengths["p50"] == pytest.approx(194, rel=1 / 16)
    assert lengths["p"] < 1e-6


def test_lengths_are_those_of_one_attempt() -> None:
    (row,) = told(rows(10, tokens=10) + rows(5, "retried", tokens=500) + rows(5, "error", tokens=0), ())
    assert (row["answers"], row["output_tokens"]["of"], row["output_tokens"]["mean"]) == (20, 10, 10.0)


def test_what_has_no_engine_follows_none() -> None:
    written = rows(30, fingerprint="a") + rows(5, "error", fingerprint=None) + rows(30, fingerprint="b", days=1)
    none, first, second = told(written, ("fingerprint",), Period(DAY, date(2026, 9, 22)))
    assert (none["fingerprint"], none["against"], first["against"]) == (None, None, None)
    assert second["against"] == {"fingerprint": "a", "answers": 30}


def test_the_longest_of_all_periods_has_none_before() -> None:
    (row,) = told(rows(1), (), Period(date(1970, 1, 1), date(9998, 12, 31)))
    assert (row["answers"], row["against"]) == (1, None)


def test_nothing_judged_is_no_row_and_an_unknown_group_is_named() -> None:
    assert told([record().row()], ("prompt",)) == []
    with pytest.raises(ValueError, match="cannot be grouped by colour"):
        told([], ("colour",))


def test_version_is_short_for_the_prompts() -> None:
    assert by_of("prompt, version,day") == ("prompt", "prompt_version", "day")
