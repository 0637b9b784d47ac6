"""Passages by their texts, best first."""

from collections.abc import Sequence

from retrieval.passage import Found, Passage


def found(*texts: str) -> list[Found]:
    return [
        Found(Passage(f"p{n}", f"{n}.md", "T", f"T > {n}", text, n, n + len(text)), 1 - n / 1000)
        for n, text in enumerate(texts, 1)
    ]


def starts(some: Sequence[Found]) -> list[int]:
    """Which they are: `found` numbers them from 1."""
    return [one.passage.start for one in some]
