import hashlib
from pathlib import Path

import numpy as np
import pytest

from retrieval.query import Vectors
from retrieval.vectors import Built, Kind, build, cells, load, making


def digests(built: Built) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in built.files]


@pytest.mark.parametrize("kind", list(Kind))
def test_the_same_vectors_give_the_same_files(kind: Kind, vectors: Vectors, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, again = build(vectors, tmp_path / "v", kind), build(vectors, tmp_path / "again" / "v", kind)
    assert digests(first) == digests(again)
    assert [file.name for file in first.files] == [file.name for file in again.files]
    assert (first.parameters, first.recall) == (again.parameters, again.recall)


@pytest.mark.parametrize("kind", list(Kind))
def test_it_wrote_the_files_that_it_names_and_no_others(kind: Kind, vectors: Vectors, tmp_path: Path) -> None:
    built = build(vectors, tmp_path / "v.faiss", kind)
    assert built.files[0] == tmp_path / "v.faiss"
    assert sorted(tmp_path.iterdir()) == sorted(built.files)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_mapped_file_of_16_bits_is_built_from(kind: Kind, vectors: Vectors, tmp_path: Path) -> None:
    np.save(tmp_path / "given.npy", vectors.astype(np.float16))
    given = np.load(tmp_path / "given.npy", mmap_mode="r")
    index = load(build(given, tmp_path / "v", kind).files[0])
    np.testing.assert_array_equal(index.reconstruct(np.arange(100)), given[:100].astype(np.float32))


def test_the_rule_chooses(vectors: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build(vectors[:100], tmp_path / "few").kind is Kind.FLAT
    monkeypatch.setattr(making, "plan", lambda count, dimensions: Kind.IVF)
    assert build(vectors, tmp_path / "many").kind is Kind.IVF


def test_cells_looked_into_are_as_few_as_reach_the_recall(vectors: Vectors, tmp_path: Path) -> None:
    built = build(vectors, tmp_path / "v", Kind.IVF)
    assert built.recall >= making.TUNED
    assert 16 <= built.parameters["probes"] < built.parameters["cells"] == cells.cells_of(len(vectors))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0, 2.0])
def test_what_has_no_direction_or_another_length_is_refused(
    kind: Kind, wrong: float, vectors: Vectors, tmp_path: Path
) -> None:
    bad = vectors.copy()
    bad[1234] *= wrong
    with pytest.raises(ValueError, match="has length"):
        build(bad, tmp_path / "v", kind)


def test_the_wrong_vector_is_named(vectors: Vectors, tmp_path: Path) -> None:
    bad = np.concatenate([vectors] * 3)
    bad[8200] = 0
    with pytest.raises(ValueError, match="vector 8200 has length 0"):
        build(bad, tmp_path / "v", Kind.FLAT)


def test_too_few_vectors_for_cells_are_refused(vectors: Vectors, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1024 vectors"):
        build(vectors[:1000], tmp_path / "v", Kind.IVF)
    with pytest.raises(ValueError, match="even"):
        build(vectors[:, :33] / np.linalg.norm(vectors[:, :33], axis=1, keepdims=True), tmp_path / "v", Kind.IVF)


def test_nothing_is_an_index_too(tmp_path: Path) -> None:
    built = build(np.empty((0, 8), np.float32), tmp_path / "v")
    index = load(built.files[0])
    assert (len(index), index.dimensions, built.recall) == (0, 8, 1)
    assert index.search(np.eye(8, dtype=np.float32)[0], 5)[0].size == 0


@pytest.mark.parametrize("kind", list(Kind))
def test_a_folder_that_is_not_there_is_an_error_of_the_system(kind: Kind, vectors: Vectors, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"v"):
        build(vectors, tmp_path / "absent" / "v", kind)
    with pytest.raises(OSError, match=r"v"):
        load(tmp_path / "absent" / "v")
