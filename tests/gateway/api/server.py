"""Serves an ASGI app with uvicorn on a free port of the loopback interface, for as long as a block lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import uvicorn
from starlette.types import ASGIApp


@asynccontextmanager
async def served(app: ASGIApp, http: type[asyncio.Protocol] | Literal["auto"] = "auto") -> AsyncIterator[str]:
    """The app's base URL, once it answers. Connections still open at the end are cut after a second."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, http=http, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(_serve(server))
    while not server.started:
        if task.done():
            await task
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def _serve(server: uvicorn.Server) -> None:
    try:
        await server.serve()
    except SystemExit as error:  # would end this event loop, and whoever waits for it would wait for ever
        raise RuntimeError("the app did not start") from error
