"""A running gateway as one value: the edge reads it, `gateway/app.py` builds it. Knows no concrete class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.embedding import Embedding
from gateway.metrics import Metrics
from gateway.models import Model
from gateway.pipeline import Pipeline
from gateway.settings import Settings
from gateway.state import State
from gateway.state.recent import RecentKeys
from prompts.library import Library
from retrieval.index import Collection


@dataclass(slots=True)
class Runtime:
    """`faults()` names what is not ready, a line each; empty means ready. `draining` is set by a stop."""

    settings: Settings
    state: State
    models: Mapping[str, Model]
    library: Library
    collections: Mapping[str, Collection]
    pipeline: Pipeline
    embedding: Embedding
    metrics: Metrics
    admin_key: str | None
    faults: Callable[[], list[str]]
    draining: bool = False
    recent_keys: RecentKeys = field(init=False)

    def __post_init__(self) -> None:
        self.recent_keys = RecentKeys(self.state.keys)
