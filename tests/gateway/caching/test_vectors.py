"""A vector stands for a whole text, or there is none."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gateway.caching.vectors import whole
from retrieval.embed import Embedder
from retrieval.weights import MINILM


def vectors(embedder: Embedder, texts: Sequence[str]) -> object:
    return asyncio.run(whole(embedder, texts))


def test_whole_texts_have_vectors() -> None:
    embedder = Embedder()
    try:
        found = vectors(embedder, ["a token", "a piece of text"])
        assert isinstance(found, np.ndarray)
        assert found.shape == (2, embedder.dimensions)
        assert vectors(embedder, ["a token", "why " * 400]) is None
    finally:
        embedder.close()


def test_without_an_embedder_there_are_none(tmp_path: Path) -> None:
    embedder = Embedder(replace(MINILM, folder=tmp_path))
    try:
        assert vectors(embedder, ["a token"]) is None
    finally:
        embedder.close()
