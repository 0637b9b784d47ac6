"""What is made of the settings and the prompts, as one value: a reload puts another in its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.collections import Collections
from gateway.connect import Models
from gateway.embedding import Embedding
from gateway.exchange import Snapshot
from gateway.ledger import Ledger
from gateway.live.canaries import Canaries
from gateway.live.shared import Shared
from gateway.models import Model
from gateway.pipeline import Pipeline
from gateway.schemas import Schemas
from gateway.settings import Settings
from gateway.stages.guard import Guard
from prompts.library import Library


@dataclass(frozen=True, slots=True)
class Edition:
    """The stages and what they are made of. Whoever still answers with it holds its `ledger`."""

    settings: Settings
    library: Library
    canaries: Canaries
    ledger: Ledger
    pipeline: Pipeline
    embedding: Embedding
    schemas: Schemas
    shared_models: Shared[Models]
    shared_collections: Shared[Collections]
    shared_guard: Shared[Guard]
    own: Sequence[Shared[Any]] = ()  # what no other edition uses

    @property
    def models(self) -> Mapping[str, Model]:
        return self.shared_models.value

    @property
    def collections(self) -> Mapping[str, Snapshot]:
        return self.shared_collections.value

    def held(self) -> list[Shared[Any]]:
        """Everything that must be let go of when it ends, first what uses the rest."""
        return [*self.own, self.shared_guard, self.shared_collections, self.shared_models]

    def faults(self) -> list[str]:
        return [*self.shared_models.value.faults(), *self.shared_collections.value.faults()]

    def warnings(self) -> list[str]:
        notes = [f"prompts: {note}" for note in self.library.notes]
        return [*self.shared_collections.value.warnings(), *notes]
