"""A running gateway as one value: the edge reads it, `gateway/app.py` builds it. Knows no concrete class.

What is made of the settings and the prompts is that of the edition in force: whoever answers a request takes what it
needs once, for the next one may see another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.embedding import Embedding
from gateway.exchange import Snapshot
from gateway.live.canaries import Canaries
from gateway.live.reloading import Reloading
from gateway.live.trials import Trials
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
    request from its answer. `announce` tells the other workers of a reload. `draining` is set by a stop."""

    state: State
    reloading: Reloading
    trials: Trials
    metrics: Metrics
    admin_key: str | None
    faults: Callable[[], list[str]]
    warnings: Callable[[], list[str]]
    announce: Callable[[], None]
    draining: bool = False
    recent_keys: RecentKeys = field(init=False)

    def __post_init__(self) -> None:
        self.recent_keys = RecentKeys(self.state.keys)

    @property
    def settings(self) -> Settings:
        return self.reloading.now.settings

    @property
    def library(self) -> Library:
        return self.reloading.now.library

    @property
    def models(self) -> Mapping[str, Model]:
        return self.reloading.now.models

    @property
    def collections(self) -> Mapping[str, Snapshot]:
        return self.reloading.now.collections

    @property
    def canaries(self) -> Canaries:
        return self.reloading.now.canaries

    @property
    def pipeline(self) -> Pipeline:
        return self.reloading.now.pipeline

    @property
    def embedding(self) -> Embedding:
        return self.reloading.now.embedding
