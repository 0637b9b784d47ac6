"""What an alias stands for: the served name, its replicas, its window and its exact token counter. Knows no tenant."""

import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.linting.cuts import Cuts
from serving.control import Control
from serving.pool import Pool
from serving.tokens import Tokens


@dataclass(slots=True)
class Model:
    """An alias, resolved. `window` is in tokens; `fallback` names other aliases to try before the first event; `cuts`
    are of its vocabulary, where that is known to be the engine's."""

    alias: str
    served: str
    pool: Pool
    tokens: Tokens
    window: int
    max_output: int
    fallback: tuple[str, ...] = ()
    cuts: Cuts | None = None


def control(models: Mapping[str, Model], alias: str) -> Control:
    """The control tokens of every model that may answer in an alias's name: itself and its fallbacks."""
    first = models[alias]
    return functools.reduce(
        operator.or_, (models[name].tokens.control for name in first.fallback if name in models), first.tokens.control
    )
