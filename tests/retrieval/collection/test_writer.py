import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from retrieval.collection import Collection, CorruptCollection, Entry, NoCollection, Writer, layout, writing
from retrieval.passage import Passage
from retrieval.query import Vectors
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

ROOT = Path(__file__).parents[3]
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


def interrupted(path: Path, *given: str) -> None:
    with suppress(KeyboardInterrupt), writing(path, EMBEDDER, DIMENSIONS) as writer:
        for document in given:
            put(writer, passages(document))
        raise KeyboardInterrupt


def known(writer: Writer, *given: str) -> int:
    return len(writer.vectors([passage.embedded for document in given for passage in passages(document)]))


def test_what_was_interrupted_is_not_there_but_its_vectors_are(tmp_path: Path) -> None:
    interrupted(tmp_path, "a", "b")
    with pytest.raises(NoCollection):
        loaded(tmp_path)
    interrupted(tmp_path)  # got less far: what went further is kept
    interrupted(tmp_path, "c")
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        assert known(writer, "a", "b", "c", "d") == 10
        put(writer, passages("a"))
        writer.commit(BY)
    assert documents(loaded(tmp_path)) == {"a"}
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        assert known(writer, "a", "b") == 5
    assert {path.name for path in tmp_path.iterdir()} == {"CURRENT", "LOCK", loaded(tmp_path).version}


def test_vectors_of_another_embedder_are_not_taken_over(tmp_path: Path) -> None:
    interrupted(tmp_path, "a")
    with writing(tmp_path, "other@1", DIMENSIONS) as writer:
        assert known(writer, "a") == 0


@pytest.mark.parametrize("name", ["draft.json", "0.passages.db", "0.vectors.f16"])
@pytest.mark.parametrize("content", [b"", b"nonsense" * 1000, None])
def test_a_damaged_leftover_is_no_error(tmp_path: Path, name: str, content: bytes | None) -> None:
    interrupted(tmp_path, "a")
    (tmp_path / ".draft" / name).unlink()
    if content is not None:
        (tmp_path / ".draft" / name).write_bytes(content)
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        assert known(writer, "a") == 0
        put(writer, passages("a"))
        writer.commit(BY)
    check(loaded(tmp_path))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((5, DIMENSIONS), np.float32), "length 1"),
        (np.zeros((5, DIMENSIONS), np.float32), "length 1"),
        (np.full((5, DIMENSIONS), np.nan, np.float32), "length 1"),
        (vectors(passages("a", 4)), "vectors"),
        (np.eye(5, DIMENSIONS + 1, dtype=np.float32), "vectors"),
    ],
)
def test_vectors_that_cannot_be_compared_are_refused(tmp_path: Path, given: Vectors, message: str) -> None:
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        with pytest.raises(ValueError, match=message):
            writer.add(passages("a"), given)
        put(writer, passages("b"))
        writer.commit(BY)
    assert documents(loaded(tmp_path)) == {"b"}


def test_a_batch_with_a_text_that_is_no_unicode_is_refused_as_a_whole(tmp_path: Path) -> None:
    bad = Passage("x#0", "x", "X", "X", "\ud800", 0, 1, access=("hr",))
    worse = Passage("x#\udfff", "x", "X", "X", "text", 0, 1, access=("hr",))
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        for one in (bad, worse):
            with pytest.raises(ValueError, match="surrogates"):
                writer.add([*passages("a"), one], vectors(passages("z", 6)))
        put(writer, passages("a"))
        put(writer, passages("x", access=("hr",)))
        writer.commit(BY)
    check(loaded(tmp_path))


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


LIMITED = """
import resource
import sys
from pathlib import Path
from retrieval.collection import writing
from tests.retrieval.collection.made import DIMENSIONS, EMBEDDER, passages, put

try:
    with writing(Path(sys.argv[1]), EMBEDDER, DIMENSIONS) as writer:
        put(writer, passages("new", int(sys.argv[2])))
        limit = int(sys.argv[3])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        put(writer, passages("more", int(sys.argv[2])))
        writer.commit({})
except OSError as error:
    print("OSError", error)
"""


@pytest.mark.parametrize(("count", "limit"), [(2000, 100_000), (10, 120_000), (10, 1000), (10, 0)])
def test_a_disk_that_is_full_is_an_os_error_and_what_was_there_stays(tmp_path: Path, count: int, limit: int) -> None:
    """Files may not grow beyond a limit, which fails at another place for each."""
    version = written(tmp_path, ["a"]).version
    command = [sys.executable, "-c", LIMITED, str(tmp_path), str(count), str(limit)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    if limit < 120_000:
        assert done.stdout.startswith("OSError"), done.stderr
        assert loaded(tmp_path).version == version
    written(tmp_path, ["b"])
    check(loaded(tmp_path))
