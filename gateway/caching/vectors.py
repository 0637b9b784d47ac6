"""Vectors of whole texts: what the embedder would read in part is not compared at all."""

from collections.abc import Sequence

from retrieval.embed import Embedder, EmbedderUnavailable, Vectors


async def whole(embedder: Embedder, texts: Sequence[str], asker: str = "") -> Vectors | None:
    """Unit vectors, float32 [texts, 384]; None when one is longer than the window, or the embedder is away."""
    try:
        return await embedder.embed(texts, asker) if all(map(embedder.fits, texts)) else None
    except EmbedderUnavailable:
        return None
