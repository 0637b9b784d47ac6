"""`tollgate serve`: the gateway alone, on the backends and the state that its settings name.

What would keep it from starting is found before anything is served, once, however many workers there are.
"""

import asyncio
import socket
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from gateway.app import create_app
from gateway.cli.check import faults_of_start
from gateway.cli.common import SETTINGS, Config, Failure, StateDir, settings_file, settings_of
from gateway.cli.server import cancelled_by_signals, listen, log_to, reloaded_by_signal, serving, url_of
from gateway.cli.workers import supervise
from gateway.settings import Settings, load
from gateway.state.open import open_state

Host = Annotated[str | None, typer.Option(help="Address to listen on; default: the settings'.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port, 0 for any free one; default: the settings'.")]
Workers = Annotated[
    int, typer.Option(min=1, help="Processes that share the port and all limits; each takes some 0.5 GB.")
]
TrustClock = Annotated[
    bool, typer.Option("--trust-clock", help="Let the limits' windows follow a system clock that was set.")
]


def serve(
    config: Config = SETTINGS,
    state: StateDir = None,
    host: Host = None,
    port: Port = None,
    workers: Workers = 1,
    trust_clock: TrustClock = False,
) -> None:
    """Run the gateway until it is told to stop (SIGINT, SIGTERM). SIGHUP takes up settings and prompts anew."""
    settings = settings_of(config, state)
    if faults := faults_of_start(settings):
        raise Failure("\n".join(faults))
    log_to(None)
    if trust_clock:
        asyncio.run(_take_over_clock(settings))
    with suppress(asyncio.CancelledError):  # a signal is how this command ends
        address = host or settings.server.host, settings.server.port if port is None else port
        uvloop.run(_serve(settings, settings_file(config, state), *address, workers))


async def _take_over_clock(settings: Settings) -> None:
    """From here on whoever opens this state goes by the system's clock as it is now (`gateway/state/clock.py`)."""
    state = await open_state(settings.state.url, settings.state.ledger, trust_clock=True)
    await state.close()


async def _serve(settings: Settings, file: Path, host: str, port: int, workers: int) -> None:
    with cancelled_by_signals(), listen(host, port) as listener:
        typer.echo(f"tollgate listens on {url_of(listener)}", err=True)
        await (supervise(settings, file, listener, workers) if workers > 1 else _alone(settings, file, listener))


async def _alone(settings: Settings, file: Path, listener: socket.socket) -> None:
    app = create_app(settings, partial(load, file))
    with reloaded_by_signal(app):
        async with serving(app, settings, listener) as running:
            await asyncio.wait({running})
