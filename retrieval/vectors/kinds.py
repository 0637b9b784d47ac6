"""The kinds of index, and the rule that chooses one."""

from enum import StrEnum


class Kind(StrEnum):
    """`flat` compares with every vector; `hnsw` walks a graph; `ivf` looks into the cells nearest to the question."""

    FLAT = "flat"
    HNSW = "hnsw"
    IVF = "ivf"


FLAT_MOST = 20_000
HNSW_MOST = 200_000


def plan(count: int, dimensions: int) -> Kind:
    """The kind for `count` vectors of `dimensions` numbers."""
    if count <= FLAT_MOST:
        return Kind.FLAT
    return Kind.HNSW if count <= HNSW_MOST else Kind.IVF
