"""One suite over the kinds of index: what a search finds, whatever the kind."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from retrieval.query import Vectors
from retrieval.vectors import Built, Kind, VectorIndex, cells
from retrieval.vectors.values import Allowed, Positions

Made = Callable[[Kind], tuple[Built, VectorIndex]]

pytestmark = pytest.mark.parametrize("kind", list(Kind))
TOP = 10


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that of MANY vectors, too, some selections are compared one by one and others are not."""
    monkeypatch.setattr(cells, "FEW", 1000)


def exact(vectors: Vectors, question: Vectors, rows: Positions) -> list[int]:
    cosines = vectors[rows] @ question
    return [int(row) for row in rows[np.argsort(-cosines)[:TOP]]]


def recall(index: VectorIndex, vectors: Vectors, allowed: Allowed | None) -> float:
    rows = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    asked = vectors[::40]
    hits = [set(exact(vectors, one, rows)) & set(index.search(one, TOP, allowed)[0].tolist()) for one in asked]
    return sum(map(len, hits)) / (len(asked) * min(TOP, len(rows)))


def test_it_is_what_was_built(kind: Kind, made: Made, vectors: Vectors) -> None:
    built, index = made(kind)
    assert (index.kind, len(index), index.dimensions) == (kind, *vectors.shape)
    assert (built.kind, built.count, built.dimensions) == (kind, *vectors.shape)
    assert index.parameters == built.parameters


def test_the_nearest_are_found_and_their_cosines_are_right(kind: Kind, made: Made, vectors: Vectors) -> None:
    _, index = made(kind)
    assert recall(index, vectors, None) >= 0.95
    positions, cosines = index.search(vectors[7], TOP)
    assert [positions.dtype.name, cosines.dtype.name] == ["int64", "float32"]
    assert positions[0] == 7
    assert list(cosines) == sorted(cosines, reverse=True)
    np.testing.assert_allclose(cosines, vectors[positions] @ vectors[7], atol=1e-3)


@pytest.mark.parametrize("share", [0.9, 0.6, 0.1, 0.01])
def test_what_is_allowed_is_chosen_before_it_is_ranked(kind: Kind, made: Made, vectors: Vectors, share: float) -> None:
    _, index = made(kind)
    allowed = np.random.default_rng(1).random(len(vectors)) < share
    assert recall(index, vectors, allowed) >= 0.95
    found = [index.search(one, TOP, allowed)[0] for one in vectors[::40]]
    assert all(len(one) == TOP and allowed[one].all() for one in found)


def test_a_selection_far_from_the_question_still_fills_k(kind: Kind, made: Made, vectors: Vectors) -> None:
    _, index = made(kind)
    cosines = vectors @ vectors[3]
    allowed = cosines < np.quantile(cosines, 0.6)  # more than are compared one by one, none in the cells nearest by
    positions, _ = index.search(vectors[3], 100, allowed)
    assert len(set(positions.tolist())) == 100
    assert allowed[positions].all()


def test_fewer_are_found_where_fewer_are_allowed(kind: Kind, made: Made, vectors: Vectors) -> None:
    _, index = made(kind)
    allowed = np.zeros(len(vectors), bool)
    assert [len(part) for part in index.search(vectors[0], TOP, allowed)] == [0, 0]
    allowed[[5, 9, 3999]] = True
    assert sorted(index.search(vectors[0], TOP, allowed)[0]) == [5, 9, 3999]
    assert len(index.search(vectors[0], 0)[0]) == 0
    assert sorted(index.search(vectors[0], 2 * len(vectors))[0]) == list(range(len(vectors)))


def test_vectors_come_back(kind: Kind, made: Made, vectors: Vectors) -> None:
    _, index = made(kind)
    positions = np.array([0, 3999, 17, 17])
    back = index.reconstruct(positions)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, vectors[positions], atol=1e-3)
    assert index.reconstruct(np.empty(0, np.int64)).shape == (0, vectors.shape[1])
    for wrong in ([-1], [0, 4000]):
        with pytest.raises(IndexError, match="0 to 3999"):
            index.reconstruct(np.array(wrong))


def test_what_cannot_be_asked_is_refused(kind: Kind, made: Made, vectors: Vectors) -> None:
    _, index = made(kind)
    question = vectors[0]
    for wrong in (question * np.nan, question * 0, question * 2):
        with pytest.raises(ValueError, match="length"):
            index.search(wrong, TOP)
    for shape in (question[:-1], question[None]):
        with pytest.raises(ValueError, match="shape"):
            index.search(shape, TOP)
    wrong_rows: list[Any] = [np.ones(3999, bool), np.ones(4000, np.int64)]
    for allowed in wrong_rows:
        with pytest.raises(ValueError, match="4000 bools"):
            index.search(question, TOP, allowed)


def test_threads_find_what_one_finds(kind: Kind, made: Made, vectors: Vectors) -> None:
    _, index = made(kind)
    numbers = np.arange(len(vectors))
    allowed: list[Allowed | None] = [None, numbers % 2 == 0, numbers % 9 == 0]

    def answers(offset: int) -> list[list[int]]:
        """The same questions by every thread, from another one on."""
        order = [(offset + step) % 60 for step in range(60)]
        found = {row: index.search(vectors[row], TOP, allowed[row % 3])[0].tolist() for row in order}
        return [found[row] for row in range(60)]

    alone = answers(0)
    with ThreadPoolExecutor(4) as threads:
        assert all(found == alone for found in threads.map(answers, range(0, 60, 5)))


def test_recall_is_that_of_questions_near_stored_vectors(kind: Kind, made: Made) -> None:
    built, index = made(kind)
    measured = index.recall(100, 5)
    assert measured == index.recall(100, 5)
    assert measured == pytest.approx(built.recall, abs=0.05)
    assert 0.95 <= built.recall <= 1


def test_the_vectors_are_mapped_not_read(kind: Kind, made: Made) -> None:
    """In a process of its own, whose map of memory is not that of other tests."""
    built, _ = made(kind)
    program = (
        "import sys; from pathlib import Path; from retrieval.vectors import load; kept = load(Path(sys.argv[1])); "
    )
    program += "print(Path('/proc/self/maps').read_text())"
    done = subprocess.run([sys.executable, "-c", program, str(built.files[0])], capture_output=True, text=True)
    assert str(built.files[-1]) in done.stdout, done.stderr
