"""Collections in engines that hold shards on several machines, each an `Index` as a local collection is.

`docs/scale.md` says when one is needed, and why it is Qdrant. Its client is an extra, which only `connected` imports.
"""

from typing import TYPE_CHECKING, Final

from retrieval.protocols import IndexUnavailable

if TYPE_CHECKING:
    from retrieval.engines.engine import Engine

TIMEOUT_S: Final = 2  # of one request while a question waits: a hundred times what a search takes (docs/scale.md)
PATIENT_S: Final = 60  # of one that writes: 500 passages on every replica


def connected(url: str, key: str | None = None, timeout_s: int = TIMEOUT_S) -> "Engine":
    """The engine there; nothing is asked yet. Raises IndexUnavailable where its client is not installed."""
    try:
        from retrieval.engines.engine import Engine
    except ModuleNotFoundError as error:
        raise IndexUnavailable("an engine needs `pip install 'tollgate[qdrant]'`") from error
    return Engine.at(url, key, timeout_s)
