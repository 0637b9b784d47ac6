"""Asks one replica of an alias that scores texts, once, on a deadline. Knows not what is asked, nor what scores mean.

Invariants: whatever goes wrong is Unscored, told within the deadline, and holds nothing of the texts; a replica that
failed too often is not asked; its pool is told how it went, but that the request was wrong or no connection free is no
failure of it.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from gateway.models import Model
from serving.backend import Backend
from serving.errors import BackendBusy, BackendError, BackendRejected

Read = Callable[[Backend, Any], list[float]]  # the scores of an answer; raises BackendBroken


class Unscored(Exception):
    """Raised when there are no scores; the text says why."""


async def scored(
    models: Mapping[str, Model], alias: str, path: str, body: Mapping[str, Any], seconds: float, read: Read
) -> list[float]:
    """What is read from the answer to `body`, sent in the name of the served model. Raises Unscored."""
    model = models.get(alias)
    if model is None:
        raise Unscored(f"the model {alias!r} is not connected")
    backend = model.pool.order()[0]
    if model.pool.ejected(backend):
        raise Unscored(f"backend {backend.name!r} failed too often and is left alone for a while")
    try:
        with model.pool.using(backend):
            async with asyncio.timeout(seconds):
                scores = read(backend, await backend.ask(path, {"model": model.served, **body}))
    except (BackendRejected, BackendBusy) as error:
        raise Unscored(f"backend {backend.name!r}: {error.message}") from error
    except BackendError as error:
        model.pool.failed(backend)
        raise Unscored(f"backend {backend.name!r}: {error.message}") from error
    except TimeoutError as error:
        model.pool.failed(backend)
        raise Unscored(f"backend {backend.name!r}: no answer within {seconds:g} s") from error
    model.pool.succeeded(backend)
    return scores
