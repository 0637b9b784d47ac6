import threading
from pathlib import Path

import numpy as np
import pytest

from retrieval.collection import Collection, CorruptCollection, Entry, layout, writing
from retrieval.passage import Passage
from tests.retrieval.collection.made import (
    DIMENSIONS,
    EMBEDDER,
    check,
    documents,
    loaded,
    passages,
    put,
    vectors,
    written,
)

BY = {"parser": "1"}


def test_documents_come_and_go(tmp_path: Path) -> None:
    first = written(tmp_path, ["a", "b", "c"])
    second = written(tmp_path, ["d"], remove=["b", "never there"])
    collection = loaded(tmp_path)
    assert documents(collection) == {"a", "c", "d"}
    assert (second.documents, second.passages, second.version == first.version) == (3, 15, False)
    check(collection)


def test_a_document_that_changed_is_removed_and_added(tmp_path: Path) -> None:
    written(tmp_path, ["a", "b"])
    written(tmp_path, ["a"], remove=["a"], count=2)
    collection = loaded(tmp_path)
    assert sorted(passage.id for passage in collection.passages(collection.rows().tolist())) == [
        "a#0", "a#1", "b#0", "b#1", "b#2", "b#3", "b#4",
    ]  # fmt: skip
    assert collection.documents == 2
    check(collection)


def test_what_is_in_the_collection_is_not_added_twice(tmp_path: Path) -> None:
    written(tmp_path, ["a"])
    with pytest.raises(ValueError, match="'a' is in the collection: remove it"):
        written(tmp_path, ["a"])
    assert len(loaded(tmp_path)) == 5


def test_what_was_added_can_be_removed_before_it_is_there(tmp_path: Path) -> None:
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        put(writer, [*passages("a"), *passages("b")])
        writer.remove(["a"])
        put(writer, passages("a", 2))
        writer.commit(BY)
    collection = loaded(tmp_path)
    assert sorted(passage.id for passage in collection.passages(collection.rows().tolist()))[:3] == [
        "a#0",
        "a#1",
        "b#0",
    ]
    check(collection)


def test_nothing_changed_leaves_the_version_and_its_files(tmp_path: Path) -> None:
    first = written(tmp_path, ["a"])
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        writer.note(Entry("a", "print of a", "A"))
        writer.remove(["unknown"])
        assert writer.commit(BY) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")} == files


@pytest.mark.parametrize(
    ("entry", "by"), [(Entry("a", "other"), BY), (Entry("new", "x", failure="is broken"), BY), (None, {"parser": "2"})]
)
def test_what_changed_without_a_passage_is_another_version(
    tmp_path: Path, entry: Entry | None, by: dict[str, str]
) -> None:
    first = written(tmp_path, ["a"])
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        if entry:
            writer.note(entry)
        assert writer.commit(by).version != first.version
    assert len(loaded(tmp_path)) == 5


def test_a_writer_knows_what_was_listed(tmp_path: Path) -> None:
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        assert (writer.before, dict(writer.known())) == (None, {})
        put(writer, passages("b"))
        writer.note(Entry("a", "1", failure="is broken"))
        first = writer.commit(BY)
    assert (first.documents, first.left_out) == (1, 1)
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        known = writer.known()
        assert (writer.before, list(known), len(known)) == (first, ["a", "b"], 2)
        assert known["a"] == Entry("a", "1", failure="is broken")
        assert known.get("unknown") is None


def test_vectors_are_known_by_their_text(tmp_path: Path) -> None:
    some = [*passages("a"), *passages("b"), *passages("c")]
    texts = [passage.embedded for passage in some]
    written(tmp_path, ["a"])
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        put(writer, passages("b"))
        found = writer.vectors(texts)
    assert list(found) == texts[:10]
    assert np.allclose(np.stack(list(found.values())), vectors(some[:10]), atol=1e-3)


def test_vectors_stay_the_same_however_often_they_are_taken_over(tmp_path: Path) -> None:
    written(tmp_path, ["a"])
    first = loaded(tmp_path).vectors(range(5))
    for _ in range(3):  # each time the whole is written anew
        written(tmp_path, ["b"], remove=["b"])
    collection = loaded(tmp_path)
    rows = [row for row in collection.rows().tolist() if collection.passages([row])[0].document == "a"]
    assert np.array_equal(collection.vectors(rows), first)


def test_a_passage_of_a_document_that_was_not_noted_is_refused(tmp_path: Path) -> None:
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        writer.add(passages("a"), vectors(passages("a")))
        with pytest.raises(ValueError, match="'a' has passages but was not noted"):
            writer.commit(BY)


def test_all_can_be_removed(tmp_path: Path) -> None:
    written(tmp_path, ["a"])
    written(tmp_path, [], remove=["a"])
    collection = loaded(tmp_path)
    assert (len(collection), collection.documents, collection.rows().tolist()) == (0, 0, [])
    check(collection)
    written(tmp_path, ["b"])
    check(loaded(tmp_path))


def test_a_language_that_is_not_stemmed_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'xx': use one of ar, da"), writing(tmp_path, EMBEDDER, 4, "xx"):
        pass


@pytest.mark.parametrize(("language", "found"), [("en", {"running", "run"}), ("", {"run"}), ("de", {"run"})])
def test_words_are_stemmed_in_the_language(tmp_path: Path, language: str, found: set[str]) -> None:
    some = [Passage(word, "d", "", "", word, 0, 1) for word in ("running", "run", "walk")]
    with writing(tmp_path, EMBEDDER, DIMENSIONS, language) as writer:
        put(writer, some)
        writer.commit(BY)
    collection = loaded(tmp_path)
    rows = collection.lexical("run", 5, collection.everything).rows
    assert {passage.id for passage in collection.passages(rows.tolist())} == found


@pytest.mark.parametrize(
    ("embedder", "dimensions", "language"), [("b", 16, "en"), (EMBEDDER, 8, "en"), (EMBEDDER, 16, "")]
)
def test_another_embedder_or_language_begins_anew_and_keeps_what_was_there(
    tmp_path: Path, embedder: str, dimensions: int, language: str
) -> None:
    first = written(tmp_path, ["a"])
    with writing(tmp_path, embedder, dimensions, language) as writer:
        assert (writer.before, dict(writer.known())) == (None, {})
        writer.note(Entry("x", "1"))
        writer.add(passages("x", 1), np.eye(1, dimensions, dtype=np.float32))
        second = writer.commit(BY)
    assert Collection.load(tmp_path, embedder).version == second.version
    assert layout.others(tmp_path) == [first.version]


def test_old_versions_go_but_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "notes.md").write_text("mine")
    versions = [written(tmp_path, [str(number)]).version for number in range(4)]
    assert {path.name for path in tmp_path.iterdir()} == {"CURRENT", "LOCK", "photos", "notes.md", *versions[2:]}


def test_a_second_writer_waits_for_the_first(tmp_path: Path) -> None:
    second = threading.Thread(target=written, args=(tmp_path, ["b"]))
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        second.start()
        put(writer, passages("a"))
        second.join(0.3)
        assert second.is_alive()
        writer.commit(BY)
    second.join(60)
    assert documents(loaded(tmp_path)) == {"a", "b"}


@pytest.mark.parametrize("name", ["0.kinds.npy", "0.passages.db", "lexical/meta.json"])
def test_a_version_that_is_damaged_while_it_is_built_on_stays_what_it_is(tmp_path: Path, name: str) -> None:
    good = written(tmp_path, ["large"], count=30)
    with pytest.raises(CorruptCollection, match=f"was damaged while it was built on: {Path(name).name} was altered"):
        damage_while_writing(tmp_path, tmp_path / good.version / name)
    assert layout.current(tmp_path) == good.version


def damage_while_writing(path: Path, file: Path) -> None:
    with writing(path, EMBEDDER, DIMENSIONS) as writer:
        put(writer, passages("a", 1))
        file.write_bytes(file.read_bytes() + b"x")
        writer.commit(BY)
