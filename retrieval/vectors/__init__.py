"""Many unit vectors in files, and the nearest of them to a question's: FAISS, of a kind chosen by their number.

    plan     the rule: which kind of index for how many vectors
    build    vectors to files, with the recall that was measured on samples of them
    load     the files, memory-mapped
    VectorIndex.search   the k nearest of the rows that are allowed

Does not know what a row is: it is a position, from 0, in the order in which the vectors came.

The rule: compare with every vector as long as these are no more than 20,000 of 384 numbers; beyond, cells. MiniLM's
vectors of real texts, from 100,000 on filled up with mixtures of these, and real questions that are not stored; CPU
time on one core of a shared Xeon with AVX-512; recall of the 10 nearest:

    vectors    kind                          recall   ms p50 / p99   bytes a vector, of them in memory   built in s
    20,000     flat                           .9998    0.9 / 1.7      768 /   0                              0.5
               cells                          .998     0.4 / 0.7      959 / 191                              2
    100,000    cells                          .980     0.6 / 1.1      911 / 143                              7
               graph (HNSW 16, efSearch 128)  .972     0.3 / 0.5      912 /   0                             21
               graph (HNSW 16, efSearch 256)  .988     0.5 / 0.9      912 /   0                             21
               cells of 8 bits, no codes      .982     1.3 / 1.9      384 /   0                              2
    1,000,000  cells                          .966     1.0 / 2.4      884 / 116                             55

No graph, then: at the same recall it is no faster, it takes three times as long to build, and of a hundredth of the
rows (20,000, efSearch 128) it finds .48 where cells find .97. The wanted recall decides how many cells are looked into,
when they are built; the questions by which it is measured are made, and somewhat easier than these.
"""

from retrieval.vectors.index import VectorIndex, load
from retrieval.vectors.kinds import Kind, plan
from retrieval.vectors.making import Built, build

__all__ = ["Built", "Kind", "VectorIndex", "build", "load", "plan"]
