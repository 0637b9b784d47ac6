"""What the stores keep for the cache: its answers, what changed among them, and what was learned of would-be hits.

Frozen. Import them from `gateway.state`.
"""

from typing import Literal

from serving.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One cached answer. `partition` is the digest of all that must be equal; `key` adds the exact question.

    `vector` is the question's embedding (float32 bytes, unit length) or None where only exact hits are wanted; `body`
    is the answer as JSON bytes; `tags` are what a purge may select by (tenant, prompt, model); `question` is the text
    that was embedded, for comparisons that similarity cannot make;
    `saves` is what a hit saves, in tokens of the engine.
    """

    key: str
    partition: str
    body: bytes
    created: float
    expires: float
    vector: bytes | None = None
    tags: tuple[str, ...] = ()
    question: str = ""
    saves: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to the cached answers since a cursor: a view that takes it in is as good as new.

    `added` are (partition, key, vector) of those that have a vector, `removed` (partition, key) of those that had; a
    key is in one of them, by what it came to. `whole`: the log does not reach back to the cursor (or the store was
    emptied), so that a view must be made anew; both are empty then.
    """

    cursor: str
    added: tuple[tuple[str, str, bytes], ...] = ()
    removed: tuple[tuple[str, str], ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """One would-be semantic hit of which it became known whether the kept answer was right.

    `pool` is what learns together (a tenant's template, say), `key` the entry, `similarity` the cosine of the two
    questions, `probability` what the prior predicted. `source`: `fresh`, the answer was made anew and compared; `near`,
    so was that of a question which the prior alone does not serve; `user`, somebody said so. `features` are numbers
    that describe the comparison to whoever predicts (`gateway.similarity.features`); none where they were not kept.
    """

    pool: str
    key: str
    similarity: float
    probability: float
    right: bool
    at: float
    source: Literal["fresh", "near", "user"] = "fresh"
    features: tuple[float, ...] = ()


POOL = 20_000  # observations kept of each pool: 1% of wrong hits is known to within 0.15% then
CLAIM_S = 15.0  # without a sign of life an answer in the making is given up: three times what its maker takes to say so
