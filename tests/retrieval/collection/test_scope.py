"""Who sees what: random labels and metadata against comparing one by one."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from retrieval.collection import Collection, writing
from retrieval.passage import Passage
from retrieval.protocols import Ranked
from retrieval.query import Scope
from tests.retrieval.collection.made import DIMENSIONS, EMBEDDER, loaded, passages, put, vector, vectors

LABEL = st.sampled_from(["hr", "legal", "Legal", "eu", "a b", "", "\x1f", "é", "['hr']", "hr\0", "x" * 70_000])
KEY = st.sampled_from(["team", "year", "", "a=b"])
VALUE = st.sampled_from(["1", "2", "", "b=1", "people", "y" * 70_000])
DOCUMENT = st.tuples(st.lists(LABEL, max_size=3), st.dictionaries(KEY, VALUE, max_size=2))
SCOPE = st.builds(
    Scope,
    st.frozensets(LABEL | st.just("unknown"), max_size=6),
    st.dictionaries(KEY | st.just("unknown"), st.lists(VALUE, max_size=2).map(tuple), max_size=2),
)


def sees(scope: Scope, passage: Passage) -> bool:
    """What `Scope` promises, word for word."""
    holds = all(label in scope.access for label in passage.access)
    return holds and all(passage.metadata.get(key) in values for key, values in scope.where.items())


@dataclass
class Made:
    collection: Collection
    passages: dict[int, Passage]

    def check(self, scope: Scope, k: int) -> None:
        seen = {row: passage for row, passage in self.passages.items() if sees(scope, passage)}
        question = vector("a question")
        dense = self.collection.dense(question, k, scope)
        cosines = {row: float(vector(passage.embedded) @ question) for row, passage in seen.items()}
        self._compare(dense, cosines, k, 1e-3)
        everywhere = self.collection.lexical("words n1", len(self.passages), self.collection.everything)
        scores = dict(zip(everywhere.rows.tolist(), everywhere.scores.tolist(), strict=True))
        lexical = self.collection.lexical("words n1", k, scope)
        self._compare(lexical, {row: scores[row] for row in seen}, k, 1e-6)

    def _compare(self, ranked: Ranked, expected: dict[int, float], k: int, precision: float) -> None:
        """Only what may be seen, as many as there are, the best of them, each with its score."""
        assert set(ranked.rows.tolist()) <= set(expected)
        assert len(ranked.rows) == min(k, len(expected))
        assert np.allclose(ranked.scores, sorted(expected.values(), reverse=True)[:k], atol=precision)
        assert np.allclose(ranked.scores, [expected[row] for row in ranked.rows.tolist()], atol=precision)


def build(path: Path, documents: list[tuple[list[str], dict[str, str]]], removed: set[int]) -> Made:
    """In two parts, as more comes to what is there; and some of it is removed."""
    several = [passages(f"d{n}", 2, tuple(access), metadata) for n, (access, metadata) in enumerate(documents)]
    large = [passages("large", 100, ("hr",))]
    with writing(path, EMBEDDER, DIMENSIONS) as writer:
        for some in [*large, *several[::2]]:
            put(writer, some)
        writer.commit({})
    with writing(path, EMBEDDER, DIMENSIONS) as writer:
        for some in several[1::2]:
            put(writer, some)
        writer.remove(f"d{number}" for number in removed)
        writer.commit({})
    collection = loaded(path)
    rows = collection.rows().tolist()
    return Made(collection, dict(zip(rows, collection.passages(rows), strict=True)))


FEW = settings(max_examples=4, deadline=None, phases=[Phase.generate])  # to shrink is to build some hundred of them
COLLECTIONS = (
    st.lists(DOCUMENT, min_size=1, max_size=6),
    st.sets(st.integers(0, 5), max_size=2),
    st.lists(SCOPE, min_size=6, max_size=24),
)


def check(documents: list[tuple[list[str], dict[str, str]]], removed: set[int], scopes: list[Scope]) -> None:
    with TemporaryDirectory() as folder:
        made = build(Path(folder), documents, removed)
        for scope in [Scope(), made.collection.everything, *scopes]:
            for k in (1, 5, 1000):
                made.check(scope, k)


test_a_search_sees_all_of_its_scope_and_nothing_else = settings(FEW)(given(*COLLECTIONS)(check))
test_a_thousand_scopes_see_what_is_theirs = pytest.mark.prove(
    settings(FEW, max_examples=100)(given(*COLLECTIONS)(check))
)


def test_labels_and_conditions_hold_together(tmp_path: Path) -> None:
    """Every document of two labels and two keys, to every reader and question of the same."""
    labels: list[tuple[str, ...]] = [(), ("hr",), ("eu",), ("eu", "hr")]
    kinds = [(access, {"team": team, "year": year}) for access in labels for team in "12" for year in "12"]
    made = build(tmp_path, [(list(access), metadata) for access, metadata in kinds], removed={3, 8})
    one_of: list[tuple[str, ...] | None] = [None, ("1",), ("2",), ("1", "2"), ("3",), ()]
    for held, team, year in product(labels, one_of, one_of):
        where = {key: values for key, values in (("team", team), ("year", year)) if values is not None}
        made.check(Scope(frozenset(held), where), 5)


def test_a_document_is_seen_by_who_holds_all_of_its_labels(tmp_path: Path) -> None:
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        put(writer, passages("open", 1))
        put(writer, passages("both", 1, ("hr", "eu")))
        writer.commit({})
    collection = loaded(tmp_path)

    def found(*held: str) -> list[int]:
        scope = Scope(frozenset(held))
        dense, words = collection.dense(vector("x"), 9, scope), collection.lexical("words", 9, scope)
        assert sorted(dense.rows.tolist()) == sorted(words.rows.tolist())
        return sorted(dense.rows.tolist())

    assert [found(), found("hr"), found("eu"), found("eu", "hr", "more")] == [[0], [0], [0], [0, 1]]


@pytest.mark.parametrize("odd", ["\ud800", "\0", '"]', "x" * 1_000_000])
def test_an_odd_scope_is_no_error_and_sees_nothing_more(tmp_path: Path, odd: str) -> None:
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        put(writer, [*passages("open", 1, metadata={"team": "a"}), *passages("hr", 1, ("hr",))])
        writer.commit({})
    collection = loaded(tmp_path)
    everything = collection.everything.access
    for where in ({odd: ("a",)}, {"team": (odd,)}, {odd: (odd,)}):
        scope = Scope(everything | {odd}, where)
        assert collection.dense(vector("x"), 5, scope).rows.tolist() == []
        assert collection.lexical("words", 5, scope).rows.tolist() == []
    assert collection.lexical("words", 5, Scope(frozenset({odd}))).rows.tolist() == [0]


def test_more_scopes_than_are_remembered_are_worked_out_again(tmp_path: Path) -> None:
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        for number in range(40):
            put(writer, passages(f"d{number}", 1, (f"team{number}",)))
        writer.commit({})
    collection = loaded(tmp_path)
    for number in [*range(40), 0]:
        scope = Scope(frozenset({f"team{number}"}))
        assert collection.dense(vector("x"), 5, scope).rows.tolist() == [number]
        assert collection.lexical("words", 5, scope).rows.tolist() == [number]


def test_the_vectors_of_these_passages_differ() -> None:
    assert len(np.unique(vectors(passages("d", 50)), axis=0)) == 50
