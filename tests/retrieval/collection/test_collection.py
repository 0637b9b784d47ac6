import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrieval.collection import (
    Collection,
    CorruptCollection,
    Manifest,
    NoCollection,
    WrongEmbedder,
    manifest,
    writing,
)
from retrieval.collection.passages import NEAR
from retrieval.query import Scope, Vectors
from tests.retrieval.collection.made import (
    DIMENSIONS,
    EMBEDDER,
    check,
    documents,
    loaded,
    passages,
    put,
    vector,
    vectors,
    written,
)

TEN = [f"d{number}" for number in range(10)]


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    path = tmp_path_factory.mktemp("ten") / "docs"
    written(path, TEN)
    return loaded(path)


def test_what_was_written_is_loaded(ten: Collection) -> None:
    assert (ten.name, ten.documents, len(ten)) == ("docs", 10, 50)
    assert ten.version == ten.manifest.version
    assert ten.manifest.built_by == {"parser": "1"}
    assert ten.passages(ten.rows().tolist()) == [passage for document in TEN for passage in passages(document)]
    check(ten)


def test_dense_is_exact_and_best_first(ten: Collection) -> None:
    question = vector("a question")
    cosines = vectors(ten.passages(range(50))) @ question
    ranked = ten.dense(question, 7, Scope())
    assert ranked.rows.tolist() == np.argsort(-cosines)[:7].tolist()
    assert np.allclose(ranked.scores, np.sort(cosines)[::-1][:7], atol=1e-3)


def test_lexical_ranks_by_words_and_leaves_out_what_has_none(ten: Collection) -> None:
    ranked = ten.lexical("the D3 and its n4", 50, Scope())
    assert ten.passages(ranked.rows[:1].tolist())[0].id == "d3#4"
    assert {passage.id for passage in ten.passages(ranked.rows.tolist())} == {
        *(f"d3#{number}" for number in range(5)),
        *(f"{document}#4" for document in TEN),
    }
    assert (np.diff(ranked.scores) <= 0).all()
    assert (ranked.scores > 0).all()


@pytest.mark.parametrize("k", [0, 2, 50, 1000])
def test_no_more_is_found_than_there_is(ten: Collection, k: int) -> None:
    assert len(ten.dense(vector("x"), k, Scope()).rows) == min(k, 50)
    assert len(ten.lexical("words", k, Scope()).rows) == min(k, 50)


@pytest.mark.parametrize("text", ["", "  ", "the of and", "§§", "x" * 10_000, "zebra", "\0", "\ud800", 'a" OR (b:c~*'])
def test_a_question_without_known_words_finds_nothing(ten: Collection, text: str) -> None:
    assert ten.lexical(text, 10, Scope()).rows.tolist() == []


@pytest.mark.parametrize("bad", [np.ones(DIMENSIONS + 1), np.full(DIMENSIONS, np.nan), np.ones((1, DIMENSIONS))])
def test_a_vector_that_cannot_be_compared_is_refused(ten: Collection, bad: Vectors) -> None:
    with pytest.raises(ValueError, match="16 finite numbers"):
        ten.dense(bad, 5, Scope())


def test_rows_are_read_in_the_order_asked(ten: Collection) -> None:
    assert [passage.id for passage in ten.passages([7, 0, 7, 49])] == ["d1#2", "d0#0", "d1#2", "d9#4"]
    some = ten.passages([7, 0, 7, 49])
    assert np.allclose(ten.vectors([7, 0, 7, 49]), vectors(some), atol=1e-3)
    assert ten.passages([]) == []
    assert ten.vectors([]).shape == (0, DIMENSIONS)


@pytest.mark.parametrize("row", [-1, 50, 2**40])
def test_a_row_that_is_none_is_a_lookup_error(ten: Collection, row: int) -> None:
    for read in (ten.passages, ten.vectors):
        with pytest.raises(LookupError, match="no such row"):
            read([0, row])
    with pytest.raises(LookupError):
        ten.around(row)


def test_around_is_the_section_in_reading_order(ten: Collection) -> None:
    assert [passage.id for passage in ten.around(7)] == ["d1#2", "d1#3"]
    assert [passage.id for passage in ten.around(9)] == ["d1#4"]


def test_several_parts_are_searched_as_one(tmp_path: Path) -> None:
    written(tmp_path, [*TEN, "large"], count=20)
    second = written(tmp_path, ["new"], remove=["d4"], count=2)
    assert len(second.parts) == 2
    collection = loaded(tmp_path)
    assert len(collection) == 10 * 20 + 2
    check(collection)
    with pytest.raises(LookupError, match="were removed"):
        collection.passages([80])
    assert len(collection.dense(vector("x"), 1000, Scope()).rows) == 202


def test_a_passage_is_not_had_by_its_neighbour_that_may_be_seen(tmp_path: Path) -> None:
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        first, second = passages("d", 2)
        secret = passages("d", 2, access=("hr",))[1]
        put(writer, [first, secret])
        writer.commit({})
    assert loaded(tmp_path).around(0) == [first]
    assert second.section == secret.section


def test_of_a_long_section_only_what_is_near_is_read_in_whatever_order_it_was_written(tmp_path: Path) -> None:
    some = [replace(one, section=(0, 1000)) for one in passages("book", 100)]
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        put(writer, some[::-1])
        writer.commit({})
    collection = loaded(tmp_path)
    assert collection.around(99) == some[: NEAR + 1]
    assert collection.around(49) == some[50 - NEAR : 50 + NEAR + 1]


def test_many_threads_may_ask_at_once(ten: Collection) -> None:
    everything = ten.passages(range(50))

    def ask(seed: int) -> None:
        scope = Scope(frozenset({str(seed)}))
        for row in np.random.default_rng(seed).integers(0, 50, 40).tolist():
            passage = everything[row]
            assert ten.dense(vector(passage.embedded), 1, scope).rows.tolist() == [row]
            assert row in ten.lexical(passage.text, 50, scope).rows
            assert ten.passages([row, 0]) == [passage, everything[0]]
            assert passage in ten.around(row)
            assert ten.lexical(passage.text, 50, Scope(where={"unknown": ("x",)})).rows.tolist() == []

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))


def test_it_closes_when_nobody_has_it_any_more(tmp_path: Path) -> None:
    written(tmp_path, TEN)
    collection = loaded(tmp_path)
    check(collection)
    gone = weakref.ref(collection)
    gc.disable()
    try:
        del collection
        assert gone() is None
    finally:
        gc.enable()


def test_a_version_that_is_replaced_and_deleted_while_it_is_read_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, ["a"])
    read = manifest.read

    def replaced(folder: Path) -> Manifest:
        monkeypatch.undo()
        described = read(folder)
        for document in ("b", "c"):
            written(tmp_path, [document])
        return described

    monkeypatch.setattr(manifest, "read", replaced)
    assert documents(loaded(tmp_path)) == {"a", "b", "c"}


def test_a_missing_collection_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NoCollection, match=r"'docs' does not exist.*tollgate index build"):
        loaded(tmp_path / "docs")


def test_another_embedder_is_refused_by_name(tmp_path: Path) -> None:
    written(tmp_path, ["d"])
    with pytest.raises(WrongEmbedder, match=r"built with mini@1, not with mini@2; run `tollgate index build`"):
        Collection.load(tmp_path, "mini@2")


def test_a_collection_of_the_first_format_says_what_to_run(tmp_path: Path) -> None:
    version = tmp_path / "0123456789abcdef"
    version.mkdir()
    (tmp_path / "CURRENT").write_text(version.name)
    (version / "manifest.json").write_text('{"facts": {"format": 1}, "files": {}}')
    with pytest.raises(CorruptCollection, match=r"format is not 2.*run `tollgate index build`"):
        loaded(tmp_path)


def test_it_serves_on_after_its_files_are_gone_or_overwritten(tmp_path: Path) -> None:
    manifest = written(tmp_path, TEN)
    collection = loaded(tmp_path)
    for path in (tmp_path / manifest.version).rglob("*.*"):
        path.write_bytes(b"overwritten")
        path.unlink()
    check(collection)
