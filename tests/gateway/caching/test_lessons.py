"""What a comparison teaches, and under which names it is kept."""

import asyncio
from dataclasses import replace
from typing import Literal

import pytest

from gateway.caching.evidence import Evidence, Learned
from gateway.caching.lessons import Lesson, Lessons
from gateway.caching.names import own, scored, undecided
from gateway.caching.verifier import Scores
from gateway.exchange import Verified
from gateway.state import Observation
from gateway.state.open import open_state

POOL = "tenant:acme:advise:small"
LESSON = Lesson(POOL, "k", 0.97, 0.99, None, False)
CROSS = Verified("cross", 0.8, 0.5)


def taught(lesson: Lesson, right: bool | None, by: Literal["fresh", "user"] = "fresh") -> dict[str, list[Observation]]:
    """All pools after one lesson."""

    async def run() -> dict[str, list[Observation]]:
        state = await open_state("sqlite:///:memory:")
        try:
            lessons = Lessons(Evidence(state.feedback), Learned(state.feedback, Scores.of))
            await lessons.teach(lesson, right, 5.0, by)
            return {pool: await state.feedback.observations(pool) for pool in await state.feedback.pools()}
        finally:
            await state.close()

    return asyncio.run(run())


@pytest.mark.parametrize("right", [True, False])
def test_a_pool_learns_of_its_hits(right: bool) -> None:
    assert taught(LESSON, right) == {POOL: [Observation(POOL, "k", 0.97, 0.99, right, 5.0)]}


def test_what_came_near_is_told_from_hits() -> None:
    assert taught(replace(LESSON, near=True), True) == {POOL: [Observation(POOL, "k", 0.97, 0.99, True, 5.0, "near")]}


@pytest.mark.parametrize("lesson", [replace(LESSON, learned=True), replace(LESSON, verified=CROSS)])
def test_what_others_than_the_prior_chose_is_told_from_its_hits(lesson: Lesson) -> None:
    assert taught(lesson, True)[POOL][0].source == "near"


def test_features_are_kept() -> None:
    described = replace(LESSON, features=(1.0, 0.5))
    assert taught(described, True)[POOL][0].features == (1.0, 0.5)


def test_praise_of_what_others_chose_does_not_speak_for_the_prior() -> None:
    for lesson in (replace(LESSON, learned=True), replace(LESSON, verified=CROSS)):
        assert POOL not in taught(lesson, True, "user")
        assert taught(lesson, False, "user")[POOL][0].source == "user"
    assert taught(LESSON, True, "user")[POOL][0].source == "user"


def test_what_nobody_can_tell_is_counted_beside() -> None:
    ((pool, (told,)),) = taught(LESSON, None).items()
    assert (pool, told.right, told.probability) == (undecided(POOL), False, 0.99)


@pytest.mark.parametrize(("right", "counts"), [(True, True), (False, False), (None, False)])
def test_the_verifier_learns_its_own_scores_and_takes_nothing_for_proof_that_is_none(
    right: bool | None, counts: bool
) -> None:
    pools = taught(replace(LESSON, verified=CROSS), right)
    (told,) = pools[scored(POOL, "cross")]
    assert (told.probability, told.right, told.similarity) == (0.8, counts, 0.97)
    assert len(pools) == 2


@pytest.mark.parametrize("pool", [POOL, "shared:faq/cards:small"])
def test_every_name_begins_with_its_pools_own(pool: str) -> None:
    assert {own(pool), own(undecided(pool)), own(scored(pool, "my/cross"))} == {pool}


def test_a_lesson_is_read_from_what_a_request_noted() -> None:
    facts = {"pool": POOL, "entry": "k", "score": 0.97, "probability": 0.99}
    assert Lesson.of(facts) == LESSON
    assert Lesson.of(facts | {"verifier": CROSS.facts(), "near": True}) == replace(LESSON, verified=CROSS, near=True)
    described = replace(LESSON, learned=True, features=(1.0, 0.5))
    assert Lesson.of(facts | {"learned": True, "features": [1.0, 0.5]}) == described
    assert Lesson.of({"verdict": "miss", "entry": "k"}) is None
