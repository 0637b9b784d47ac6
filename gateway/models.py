"""What an alias stands for: the served name, its replicas, its window and its exact token counter. Knows no tenant."""

from dataclasses import dataclass

from serving.pool import Pool
from serving.tokens import Tokens


@dataclass(slots=True)
class Model:
    """An alias, resolved. `window` is in tokens; `fallback` names other aliases to try before the first event."""

    alias: str
    served: str
    pool: Pool
    tokens: Tokens
    window: int
    max_output: int
    fallback: tuple[str, ...] = ()
