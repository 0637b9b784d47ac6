import json
from pathlib import Path

import numpy as np
import pytest

from retrieval import folder, index
from retrieval.index import Collection, CorruptCollection, Manifest, NoCollection, Vectors, WrongEmbedder
from retrieval.passage import Passage

DIMENSIONS = 16


def passage(number: int) -> Passage:
    return Passage(f"a.md#{number}", "a.md", "A", "A > B", f"text {number} \u2028 \x85 ü", number, number + 6)


def unit(count: int) -> Vectors:
    vectors = np.random.default_rng(7).normal(size=(count, DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def manifest(count: int, dimensions: int = DIMENSIONS, format: int = index.FORMAT) -> Manifest:
    return Manifest("mini@1", dimensions, 1, count, {"a.md": "1f"}, {}, {"pypdf": "7"}, format=format)


def written(path: Path, count: int = 50) -> Manifest:
    return index.write(path, manifest(count), [passage(number) for number in range(count)], unit(count))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs"


def test_what_was_written_is_loaded(path: Path) -> None:
    built = written(path)
    collection = Collection.load(path, "mini@1")
    assert (collection.name, collection.version, collection.documents) == ("docs", built.version, 1)
    assert collection.manifest == built
    assert collection.passages == tuple(passage(number) for number in range(50))
    assert np.array_equal(collection.vectors(), unit(50))


def test_search_is_exact_and_best_first(path: Path) -> None:
    written(path)
    query = unit(60)[55]
    found = Collection.load(path, "mini@1").search(query, 5)
    cosines = unit(50) @ query
    best = np.argsort(-cosines)[:5]
    assert [one.passage.start for one in found] == best.tolist()
    assert np.allclose([one.score for one in found], cosines[best], atol=1e-6)


def test_search_never_gives_more_than_there_is(path: Path) -> None:
    written(path, 3)
    collection = Collection.load(path, "mini@1")
    assert [len(collection.search(unit(1)[0], top_k)) for top_k in (0, 2, 3, 100)] == [0, 2, 3, 3]
    assert len(collection.search(unit(1), 2)) == 2  # a row of a matrix will do


@pytest.mark.parametrize("vector", [np.ones(DIMENSIONS + 1), np.full(DIMENSIONS, np.nan), np.ones((2, DIMENSIONS))])
def test_a_vector_that_cannot_be_compared_is_refused(path: Path, vector: Vectors) -> None:
    written(path)
    with pytest.raises(ValueError, match="16 finite numbers"):
        Collection.load(path, "mini@1").search(vector, 5)


def test_a_missing_collection_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NoCollection, match=r"'docs' does not exist.*tollgate index build"):
        Collection.load(tmp_path / "docs", "mini@1")


def test_another_embedder_is_refused_by_name(path: Path) -> None:
    written(path)
    with pytest.raises(WrongEmbedder, match=r"built with mini@1, not with mini@2; run `tollgate index build`"):
        Collection.load(path, "mini@2")


@pytest.mark.parametrize("name", [index.INDEX, index.PASSAGES, folder.MANIFEST])
def test_damage_is_found_before_serving(path: Path, name: str) -> None:
    file = path / written(path).version / name
    whole = file.read_bytes()
    for at in np.linspace(0, len(whole) - 1, 40, dtype=int):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole + b"\0"):
            file.write_bytes(damaged)
            with pytest.raises(CorruptCollection, match="run `tollgate index build`"):
                Collection.load(path, "mini@1")


def test_files_that_contradict_their_manifest_are_refused(path: Path) -> None:
    for contradiction in (manifest(49), manifest(50, format=99)):
        index.write(path, contradiction, [passage(number) for number in range(50)], unit(50))
        with pytest.raises(CorruptCollection, match="contradicts its manifest"):
            Collection.load(path, "mini@1")


@pytest.mark.parametrize("lines", [b"nonsense\n", b"{}\n", b"[1]\n", b'{"id": 1, "unknown": 2}\n'])
def test_passages_of_another_format_are_refused(path: Path, lines: bytes) -> None:
    files = dict(folder.read(path).files) if written(path) else {}
    facts = json.loads((path / folder.read(path).version / folder.MANIFEST).read_text())["facts"]
    folder.write(path, facts, {**files, index.PASSAGES: lines})
    with pytest.raises(CorruptCollection, match="another format"):
        Collection.load(path, "mini@1")
