"""Other semantic caches beside ours, each in a process of its own: the same questions, vectors and embedder.

    python -m benchmarks.peers.caches NAME PEERS FOLDER ENTRIES [--redis-search URL]

Keeps ENTRIES answers, prints `ready`, then answers each line of standard input, the JSON list of numbers of questions
to ask, with a line: of every kind of hit the milliseconds of each, and how many gave another answer than the right one,
or none. `embedded` asks in other words; `remembered` asks that again, when the vector is known. FOLDER holds
`vectors.npz`, those of the kept questions.

A peer is where `pip install --target PEERS/NAME` put its requirements (`PEERS`), behind our own environment: so FAISS,
NumPy and torch are the same. It runs as its documentation says: GPTCache on SQLite and FAISS (threshold 0.8 of its
scale; it writes a report of every hit), redisvl's SemanticCache (distance 0.1) and LiteLLM's redis-semantic (similarity
0.8) on a Redis with RediSearch. No wheel has that, so these two have not been run; they leave their indexes there.
"""

# mypy: disable-error-code="import-not-found"

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.embedding import questions
from retrieval.embed import Embedder, Vectors
from retrieval.weights import MINILM

TEXT = "It depends on the age and the make; the manual names the tools and the order of the steps. " * 8  # 0.7 KB

Look = Callable[[str], Any]
Timed = tuple[float, bool]  # milliseconds, and whether the answer was the right one
Found = dict[str, tuple[list[float], int]]  # kind of hit -> milliseconds of each, and how many were wrong
Embed = Callable[[str], Vectors]


def kept(entries: int) -> list[str]:
    """The questions whose answers are kept, by number."""
    return list(islice(questions("How do I"), entries))


def reworded(entries: int) -> list[str]:
    """The same questions in other words: they stand for the kept ones of the same number."""
    return list(islice(questions("How can I"), entries))


def answer(number: int) -> str:
    return f"{number}: {TEXT}"


class Known:
    """The peers' function of a text's vector: asks the embedder once for each."""

    def __init__(self, vectors: dict[str, Vectors]) -> None:
        self.vectors, self._embedder = vectors, Embedder()

    def __call__(self, text: str) -> Vectors:
        if text not in self.vectors:
            self.vectors[text] = self._embedder.encode([text])[0]
        return self.vectors[text]


def gptcache(texts: Sequence[str], embed: Embed, folder: Path, _: str) -> Look:
    from gptcache import Cache
    from gptcache.adapter.api import get
    from gptcache.manager import CacheBase, VectorBase, get_data_manager
    from gptcache.processor.pre import get_prompt
    from gptcache.similarity_evaluation import SearchDistanceEvaluation

    cache, rows = Cache(), CacheBase("sqlite", sql_url=f"sqlite:///{folder}/gptcache.db")
    index = VectorBase("faiss", dimension=MINILM.dimensions, index_path=str(folder / "gptcache.index"))
    cache.init(
        pre_embedding_func=get_prompt,
        embedding_func=lambda text, **_: embed(text),
        data_manager=get_data_manager(rows, index, max_size=2 * len(texts)),
        similarity_evaluation=SearchDistanceEvaluation(),
    )
    cache.import_data(texts, [answer(number) for number in range(len(texts))])
    return lambda text: get(text, cache_obj=cache)


def redisvl(texts: Sequence[str], embed: Embed, _: Path, url: str) -> Look:
    from redisvl.extensions.cache.llm import SemanticCache
    from redisvl.utils.vectorize import CustomTextVectorizer

    listed = CustomTextVectorizer(lambda text: embed(text).tolist())
    cache = SemanticCache("tollgate_benchmark", vectorizer=listed, redis_url=url, overwrite=True)
    for number, text in enumerate(texts):
        cache.store(text, answer(number))
    return lambda text: (cache.check(text) or [{}])[0].get("response")


def litellm(texts: Sequence[str], embed: Embed, _: Path, url: str) -> Look:
    from litellm.caching.redis_semantic_cache import RedisSemanticCache

    class Local(RedisSemanticCache):  # type: ignore[misc]  # its own asks an embeddings endpoint
        def _get_embedding(self, prompt: str, **_: object) -> list[float]:
            return list(map(float, embed(prompt)))

    cache = Local(redis_url=url, similarity_threshold=0.8, index_name="tollgate_benchmark_litellm")
    for number, text in enumerate(texts):
        kept_as = json.dumps(answer(number))  # it reads JSON back
        cache.set_cache("benchmark", kept_as, messages=[{"role": "user", "content": text}])
    return lambda text: cache.get_cache("benchmark", messages=[{"role": "user", "content": text}])


def timed(look: Look, number: int, text: str) -> Timed:
    began = time.perf_counter()
    found = look(text)
    return (time.perf_counter() - began) * 1e3, found == answer(number)


def seen(lookups: Mapping[str, Sequence[Timed]]) -> Found:
    return {kind: ([ms for ms, _ in some], sum(not right for _, right in some)) for kind, some in lookups.items()}


class Peer(NamedTuple):
    """`requirements` as pip reads them; `open` fills a cache; whether it needs a Redis with RediSearch."""

    requirements: str
    open: Callable[[Sequence[str], Embed, Path, str], Look]
    redis_search: bool


PEERS = {
    "gptcache": Peer("gptcache==0.1.44 sqlalchemy==2.1.9", gptcache, False),
    "redisvl": Peer("redisvl==0.28.0", redisvl, True),
    "litellm": Peer("litellm==1.106.2 redisvl==0.28.0", litellm, True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=list(PEERS))
    parser.add_argument("peers", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("entries", type=int)
    parser.add_argument("--redis-search", default="")
    given = parser.parse_args()
    sys.path.append(str(given.peers / given.name))
    with np.load(given.folder / "vectors.npz", allow_pickle=False) as file:
        known = Known(dict(zip(file["texts"].tolist(), file["vectors"], strict=True)))
    look = PEERS[given.name].open(kept(given.entries), known, given.folder, given.redis_search)
    asked = reworded(given.entries)
    print("ready", flush=True)
    for line in sys.stdin:
        numbers = json.loads(line)
        passes = {kind: [timed(look, n, asked[n]) for n in numbers] for kind in ("embedded", "remembered")}
        print(json.dumps(seen(passes)), flush=True)


if __name__ == "__main__":
    main()
