"""A backend before a raw server, with few connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

from serving.backend import Backend
from tests.fakes.backend import said, words
from tests.fakes.client import ASK
from tests.fakes.raw import OK, After, Raw, RawServer, chunked, raw_server

CERTIFICATE = Path(__file__).parent / "tls" / "server.pem"  # signed by itself, for 127.0.0.1
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
BEGUN = Raw((HEAD, *words("a")), After.HANG)
WHOLE = Raw((chunked(*said("a", "b")),))
EMBEDDINGS = "/v1/embeddings"


@asynccontextmanager
async def served(answer: Any = OK, limit: int = 4, **options: Any) -> AsyncIterator[tuple[Backend, RawServer]]:
    async with raw_server(answer, tls=options.pop("tls", None)) as server:
        backend = Backend("b", server.url, max_connections=limit, **options)
        try:
            yield backend, server
        finally:
            await backend.aclose()


def certified() -> SSLContext:
    tls = SSLContext(PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERTIFICATE)
    return tls


async def cancelled(backend: Backend, turns: int) -> None:
    """Ask, and leave after so many turns of the loop."""
    task = asyncio.create_task(backend.complete(ASK))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
