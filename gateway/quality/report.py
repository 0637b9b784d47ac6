"""The table of quality: rates of what was found, with intervals, lengths, and what has changed.

A row is compared with what was there before it. Where the groups have one that time moves (day, version, engine), rows
that are equal in all others follow each other by when they were first seen, and each is compared with the one before.
Where there is none, with the same group in as many days right before. Shares differ by Newcombe's interval (`rates`),
lengths by Mann and Whitney's test (`lengths`), each at the level LEVEL: of a hundred comparisons of what is the same,
one is expected to say that it changed.

Lengths are those of answers made in one attempt: what is billed of others is the sum of all attempts.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from gateway.quality.lengths import quantile, same
from gateway.quality.rates import LEVEL, change, wilson
from gateway.quality.words import Word
from gateway.state import Journal
from gateway.usage import Period, groups

# What is told, and of which answers it is a share: those that have the other word, or all.
RATES: Mapping[Word, Word | None] = {
    "truncated": None, "invalid": None, "empty": None, "repeated": None, "blocked": None, "flagged": None,
    "tool_failed": "called", "error": None, "repaired": None,
}  # fmt: skip
DEFAULT = "prompt,prompt_version"
_MOVES = ("day", "prompt_version", "fingerprint")
# No answer, or more than one attempt.
_UNUSUAL = frozenset({"error", "blocked", "repaired", "retried", "continued", "shortened", "fell_back"})


@dataclass(frozen=True, slots=True)
class Answers:
    """What was counted of one group. `first`: when the first came. `alone` of them, of `tokens` together and with these
    `lengths`, were made in one attempt."""

    total: int
    found: Mapping[str, int]
    first: float
    alone: int
    tokens: int
    lengths: Mapping[int, int]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> "Answers":
        """Rows of one group, as `Journal.judged` gives them."""
        found, lengths = Counter[str](), Counter[int]()
        alone = [row for row in rows if _UNUSUAL.isdisjoint(row["checks"].split())]
        for row in rows:
            found.update(dict.fromkeys(row["checks"].split(), row["answers"]))
        for row in alone:
            lengths.update(row["lengths"])
        made, tokens = (sum(row[name] for row in alone) for name in ("answers", "output_tokens"))
        total, first = sum(row["answers"] for row in rows), min(row["first"] for row in rows)
        return cls(total, found, first, made, tokens, lengths)

    def share(self, word: Word) -> tuple[int, int]:
        """How many of how many."""
        of = RATES[word]
        return self.found.get(word, 0), self.found.get(of, 0) if of else self.total


Group = tuple[Any, ...]


def by_of(text: str) -> tuple[str, ...]:
    """Groups as they are asked for; `version` is short for `prompt_version`."""
    return tuple({"version": "prompt_version"}.get(group, group) for group in groups(text))


async def report(journal: Journal, by: Sequence[str], over: Period, tenant: str | None = None) -> list[dict[str, Any]]:
    """One row a group, ordered by it. Raises ValueError naming an unknown group."""
    found = await _answers(journal, by, over, tenant)
    if any(group in _MOVES for group in by):
        before = _series(found, by)
    else:
        before = await _window(journal, by, over, tenant)
    return [dict(zip(by, group, strict=True)) | _told(answers, before.get(group)) for group, answers in found.items()]


async def _answers(journal: Journal, by: Sequence[str], over: Period, tenant: str | None) -> dict[Group, Answers]:
    rows = defaultdict[Group, list[dict[str, Any]]](list)
    for row in await journal.judged(by, *over.bounds, tenant, over.zone):
        rows[tuple(row[name] for name in by)].append(row)
    return {group: Answers.of(of_group) for group, of_group in rows.items()}


Before = tuple[dict[str, Any], Answers]  # what it is called, and what was counted


def _series(found: Mapping[Group, Answers], by: Sequence[str]) -> dict[Group, Before]:
    """Of each group the one before it. What has no version or engine (no backend answered) follows nothing."""
    series = defaultdict[Group, list[Group]](list)
    for group in sorted(found, key=lambda group: found[group].first):
        if None not in _moved(by, group).values():
            series[tuple(value for name, value in zip(by, group, strict=True) if name not in _MOVES)].append(group)
    pairs = [pair for groups in series.values() for pair in pairwise(groups)]
    return {after: (_moved(by, before), found[before]) for before, after in pairs}


def _moved(by: Sequence[str], group: Group) -> dict[str, Any]:
    return {name: value for name, value in zip(by, group, strict=True) if name in _MOVES}


async def _window(journal: Journal, by: Sequence[str], over: Period, tenant: str | None) -> dict[Group, Before]:
    """Of each group the same in as many days right before."""
    days = over.last - over.first + timedelta(days=1)
    try:
        earlier = Period(over.first - days, over.last - days, over.zone)
    except OverflowError:  # there are no such days
        return {}
    named = {"since": str(earlier.first), "until": str(earlier.last)}
    return {group: (named, known) for group, known in (await _answers(journal, by, earlier, tenant)).items()}


def _told(answers: Answers, before: Before | None) -> dict[str, Any]:
    against = before[1] if before else None
    rates = {word: _rate(word, answers, against) for word in RATES}
    return {"answers": answers.total} | rates | {
        "output_tokens": _length(answers, against),
        "against": before[0] | {"answers": before[1].total} if before else None,
    }  # fmt: skip


def _rate(word: Word, answers: Answers, before: Answers | None) -> dict[str, Any]:
    k, n = answers.share(word)
    low, high = wilson(k, n)
    changed = change(before.share(word), (k, n)) if before else 0
    return {
        "count": k,
        "of": n,
        "share": round(k / n, 4) if n else None,
        "low": round(low, 4),
        "high": round(high, 4),
        "change": {1: "more", -1: "fewer", 0: None}[changed],
    }


def _length(answers: Answers, before: Answers | None) -> dict[str, Any]:
    mean = answers.tokens / answers.alone if answers.alone else None
    p = same(before.lengths, answers.lengths) if before else None
    told = {"of": answers.alone, "mean": mean and round(mean, 1)}
    told |= {name: quantile(answers.lengths, share) for name, share in (("p50", 0.5), ("p95", 0.95))}
    drift = mean / (before.tokens / before.alone) - 1 if mean and before and before.tokens else None
    return told | {
        "drift": None if drift is None else round(drift, 3),
        "p": p and round(p, 6),
        "changed": None if p is None else p < LEVEL,
    }
