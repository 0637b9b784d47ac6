"""The cache stage, put together from what it is made of. Names the concrete classes of `gateway/caching/`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.caching.agreement import Agreement
from gateway.caching.corrections import Corrections
from gateway.caching.evidence import Evidence, Learned
from gateway.caching.lessons import Lessons
from gateway.caching.making import Making
from gateway.caching.opinion import Opinion
from gateway.caching.samples import Samples
from gateway.caching.similar import Similar
from gateway.caching.slots import Slots
from gateway.caching.verifier import Scores, Verifier
from gateway.models import Model
from gateway.neighbours import Neighbours
from gateway.rerank import Reranker
from gateway.settings import Cache as Section
from gateway.stages.cache import Cache
from gateway.state import State
from gateway.state.owners import owner
from retrieval.embed import Embedder


@dataclass(frozen=True, slots=True)
class Memory:
    """What the cache has in memory of its store."""

    evidence: Evidence
    scores: Learned[Scores]
    lessons: Lessons
    neighbours: Neighbours
    making: Making

    @classmethod
    def of(cls, section: Section, state: State) -> "Memory":
        evidence, scores = Evidence(state.feedback, section.learn), Learned(state.feedback, Scores.of)
        neighbours = Neighbours(state.answers, section.max_partitions, section.max_entries)
        making = Making(state.claims, owner(), state.alive, state.clock)
        return cls(evidence, scores, Lessons(evidence, scores), neighbours, making)


def cache(
    section: Section,
    state: State,
    embedder: Embedder,
    models: Mapping[str, Model],
    opinion: Opinion | None = None,
    guarded: Callable[[str], str] = lambda tenant: "",
    memory: Memory | None = None,
) -> Cache:
    """The cache stage on a state; `opinion` is the judge's, `guarded` says what changes with a tenant's guards."""
    kept, most = memory or Memory.of(section, state), section.max_error_rate
    verifier = None
    if section.verifier:
        reranker = Reranker(models, section.verifier, section.verifier_s)
        verifier = Verifier(reranker, section.verifier, kept.scores, most)
    return Cache(
        section,
        state.answers,
        Slots(section, models, embedder.identity, guarded),
        Similar(state.answers, kept.neighbours, embedder, kept.evidence, verifier, most),
        kept.neighbours,
        Samples(section, Agreement(embedder), opinion, kept.lessons),
        kept.making,
        Corrections(state.answers, kept.neighbours, kept.lessons),
    )
