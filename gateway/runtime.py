"""A running gateway as one value: the edge reads it, `gateway/app.py` builds it. Knows no concrete class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.embedding import Embedding
from gateway.exchange import Snapshot
from gateway.metrics import Metrics
from gateway.models import Model
from gateway.pipeline import Pipeline
from gateway.settings import Settings
from gateway.state import State
from gateway.state.recent import RecentKeys
from prompts.library import Library


@dataclass(slots=True)
class Runtime:
    """`faults()` names what is not ready, a line each; empty means ready. `warnings()` is what is wrong and keeps no
    request from its answer. `draining` is set by a stop."""

    settings: Settings
    state: State
    models: Mapping[str, Model]
    library: Library
    collections: Mapping[str, Snapshot]
    pipeline: Pipeline
    embedding: Embedding
    metrics: Metrics
    admin_key: str | None
    faults: Callable[[], list[str]]
    warnings: Callable[[], list[str]]
    draining: bool = False
    recent_keys: RecentKeys = field(init=False)

    def __post_init__(self) -> None:
        self.recent_keys = RecentKeys(self.state.keys)
