"""Files that are those that were written, and are read otherwise today."""

from pathlib import Path

import numpy as np
import pytest
from tantivy import TextAnalyzerBuilder, Tokenizer

from retrieval import lexical
from retrieval.collection import CorruptCollection
from retrieval.vectors import VectorIndex
from tests.retrieval.collection.made import loaded, written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    manifest = written(tmp_path, ["a", "b", "c", "d"])
    assert len(manifest.known.dense) == len(manifest.known.lexical) > 10
    return tmp_path


def test_vectors_that_are_read_otherwise_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = VectorIndex.search

    def backwards(self: VectorIndex, vector: np.ndarray, *rest: object) -> object:
        return search(self, -vector, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(VectorIndex, "search", backwards)
    with pytest.raises(CorruptCollection, match="the vector of row 0 does not find its passage"):
        loaded(path)


def test_words_that_are_stemmed_otherwise_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical, "analyzer", lambda _: TextAnalyzerBuilder(Tokenizer.raw()).build())
    with pytest.raises(CorruptCollection, match="the text of row 0 does not find its passage"):
        loaded(path)
