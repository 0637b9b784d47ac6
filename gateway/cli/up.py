"""`tollgate up`: the whole product on one machine, from nothing to a line of curl that answers.

The port is taken first, the documents are indexed while the engine starts, the gateway runs in this process. Whatever
ends this process, Ctrl-C or kill -9, ends the engine and the indexing too (`serving.guard`).
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
import uvloop

from gateway.app import create_app
from gateway.cli.common import Failure, Json
from gateway.cli.home import ADMIN_KEY, ALIAS, COLLECTION, MODEL, ROOT, Credentials, Home, Upstream
from gateway.cli.server import cancelled_by_signals, free_port, listen, log_to, serving, url_of
from gateway.settings import Settings
from gateway.state.open import open_state
from serving import guard
from serving.backend import Backend
from serving.errors import BackendError
from serving.launch import EngineFailed, launch

STARTED = time.monotonic()
ENGINE_PYTHON = ROOT / ".venv-vllm" / "bin" / "python"

HOST, PORT = "127.0.0.1", 8080
READY_S = 120.0  # the gateway's own start takes seconds; a machine that compiles or swaps beside it, longer
QUESTION = "What does the KV cache do?"
BACKEND_KEY = "TOLLGATE_BACKEND_KEY"
WINDOW = 4096  # tokens, for a server that does not tell its own: what the smallest models of today have

Url = Annotated[
    str | None, typer.Option("--backend", envvar="TOLLGATE_BACKEND_URL", help="A server that runs already.")
]
ModelDir = Annotated[Path | None, typer.Option("--tokenizer", help="The folder of that server's model, if it is here.")]
Prompts = Annotated[
    Path | None, typer.Option(exists=True, file_okay=False, help="Your own templates, taken up as they change.")
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")]
Folder = Annotated[Path, typer.Option("--state", help="Where settings, keys, data and logs are kept.")]


@dataclass(frozen=True, slots=True)
class Order:
    """The command's options."""

    backend: str | None
    tokenizer: Path | None
    port: int
    prompts: Path | None
    as_json: bool


def up(
    backend: Url = None,
    tokenizer: ModelDir = None,
    port: Port = PORT,
    prompts: Prompts = None,
    state: Folder = Path(".tollgate"),
    as_json: Json = False,
) -> None:
    """Run the whole product here: state, sample documents, a model, the gateway."""
    if backend is not None and not backend.startswith(("http://", "https://")):
        raise typer.BadParameter("write a URL such as http://127.0.0.1:8000", param_hint="--backend")
    home = Home(state)
    log_to(home.gateway_log)
    with suppress(asyncio.CancelledError):  # Ctrl-C is how this command ends
        uvloop.run(_up(home, Order(backend, tokenizer, port, prompts, as_json)))
    _say("stopped")


async def _up(home: Home, order: Order) -> None:
    async with AsyncExitStack() as stack:
        stack.enter_context(cancelled_by_signals(signal.SIGHUP))  # a terminal that closes
        listener = stack.enter_context(listen(HOST, order.port))
        port = int(listener.getsockname()[1])
        upstream = await _given(order.backend, order.tokenizer) if order.backend else _own()
        settings = home.configure(upstream, port, order.prompts)
        indexing = await stack.enter_async_context(_indexing(home))
        engine = asyncio.create_task(_never() if order.backend else await _engine(upstream, home, stack))
        if await indexing.wait():
            raise Failure("the sample documents were not indexed; the lines above say why")
        credentials = await _credentials(home, settings)
        os.environ[ADMIN_KEY] = credentials.admin_key
        running = await stack.enter_async_context(serving(create_app(settings), settings, listener))
        await _first({running, engine}, _ready(url_of(listener)))
        _announce(url_of(listener), credentials, home, order)
        await _first({running, engine})


async def _credentials(home: Home, settings: Settings) -> Credentials:
    state = await open_state(settings.state.url, settings.state.ledger)
    try:
        return await home.credentials(state)
    finally:
        await state.close()


@asynccontextmanager
async def _indexing(home: Home) -> AsyncIterator[asyncio.subprocess.Process]:
    """Index the sample documents in a process of their own, which ends with the block and with this process."""
    command = (sys.executable, "-m", "gateway", "index", "build", COLLECTION, "--config", str(home.settings_file))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, guard.__file__, *command), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=ROOT
    )
    try:
        yield process
    finally:
        assert process.stdin
        process.stdin.close()
        await process.wait()


def _own() -> Upstream:
    """The bundled model on the CPU build of vLLM, which is yet to be started."""
    if not ENGINE_PYTHON.exists():
        raise Failure("the CPU engine is not installed: run `make install`, or name a server with --backend URL")
    return Upstream(f"http://{HOST}:{free_port(HOST)}", "tiny", MODEL)


async def _engine(upstream: Upstream, home: Home, stack: AsyncExitStack) -> Coroutine[Any, Any, str]:
    """Start it for as long as the stack lasts; what is returned ends when it dies, with the reason."""
    port = int(upstream.url.rpartition(":")[2])
    starting = launch(MODEL, port, ENGINE_PYTHON, home.engine_log, _say, name=upstream.served)
    try:
        return (await stack.enter_async_context(starting)).died()
    except EngineFailed as error:
        raise Failure(str(error)) from error


async def _given(url: str, tokenizer: Path | None) -> Upstream:
    url = url.rstrip("/").removesuffix("/v1")
    has_key = BACKEND_KEY in os.environ
    backend = Backend("backend", url, api_key=os.environ.get(BACKEND_KEY))
    try:
        models = await backend.models()
    except BackendError as error:
        raise Failure(f"{url} does not say what it serves ({error.message}): is it running, and is it vLLM?") from error
    finally:
        await backend.aclose()
    if not models:
        raise Failure(f"{url} serves no model")
    first = models[0]
    window = None if first.max_model_len else WINDOW
    _say(f"using {first.id} at {url}" + (f", with a window of {window} tokens as it tells none" if window else ""))
    return Upstream(url, first.id, tokenizer, window, BACKEND_KEY if has_key else None)


async def _never() -> str:
    never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return await never


async def _first(watched: set[asyncio.Task[Any]], goal: Coroutine[Any, Any, None] | None = None) -> None:
    """Wait for `goal`, or for ever without one. Raises Failure when something watched ends before."""
    aim = asyncio.create_task(goal or _never())
    try:
        await asyncio.wait({aim, *watched}, return_when=asyncio.FIRST_COMPLETED)
        for task in watched:
            if task.done():
                raise Failure(task.result() or "the gateway stopped by itself")
        await aim
    finally:
        aim.cancel()


async def _ready(url: str) -> None:
    """Wait until the gateway says that it is ready. Raises Failure with what is in the way after READY_S."""
    deadline, faults = time.monotonic() + READY_S, "no answer"
    async with httpx2.AsyncClient(trust_env=False) as client:
        while time.monotonic() < deadline:
            with suppress(httpx2.HTTPError):  # it listens before it has started
                answer = await client.get(f"{url}/health/ready")
                if answer.is_success:
                    return
                faults = answer.text
            await asyncio.sleep(0.1)
    raise Failure(f"the gateway was not ready within {READY_S:g} s: {faults}")


def _announce(url: str, credentials: Credentials, home: Home, order: Order) -> None:
    if order.as_json:
        typer.echo(json.dumps({"url": url, "key": credentials.key, "admin_key": credentials.admin_key, "model": ALIAS}))
        return
    sample = {"prompt": {"id": "answer", "variables": {"question": QUESTION}}}
    own = {"messages": [{"role": "user", "content": QUESTION}]}  # the samples are not there
    body = json.dumps({"model": ALIAS, **(own if order.prompts else sample)})
    typer.echo(
        f"""
Tollgate answers at {url}

  key    {credentials.key}
  admin  in {home.keys_file}
  logs   {home.gateway_log}

curl -s {url}/v1/chat/completions -H 'Content-Type: application/json' \\
  -H 'Authorization: Bearer {credentials.key}' \\
  -d '{body}'

Ctrl-C ends it."""
    )


def _say(text: str) -> None:
    """One line of progress, with the seconds since the start."""
    typer.echo(f"{time.monotonic() - STARTED:5.0f} s  {text.strip()}", err=True)
