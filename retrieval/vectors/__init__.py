"""Many unit vectors in files, and the nearest of them to a question's: FAISS, of a kind chosen by their number.

    plan     the rule: which kind of index for how many vectors
    build    vectors to files, with the recall that was measured on samples of them
    load     the files, memory-mapped
    VectorIndex.search   the k nearest of the rows that are allowed

Does not know what a row is: it is a position, from 0, in the order in which the vectors came.
"""

from retrieval.vectors.index import VectorIndex, load
from retrieval.vectors.kinds import Kind, plan
from retrieval.vectors.making import Built, build

__all__ = ["Built", "Kind", "VectorIndex", "build", "load", "plan"]
