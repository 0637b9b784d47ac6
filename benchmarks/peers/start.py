"""A gateway has started once it has answered a chat, whatever its health says. Knows no load."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.peers.measure import WARM_UP, request
from benchmarks.peers.recipe import Recipe
from benchmarks.running import START_S, Process

IDLE = 0.05  # CPU seconds in a second: less than any start uses


class NotStarted(Exception):
    """Raised when a gateway does not answer a chat with 200 within START_S, or ends."""


def started(recipe: Recipe, cores: Sequence[int], stack: ExitStack) -> tuple[Process, float]:
    """A gateway that the stack stops, and the seconds until its first answer. Raises NotStarted with what it said."""
    began = time.monotonic()
    try:
        process = stack.enter_context(recipe.start(cores))
    except OSError as error:
        raise NotStarted(f"did not start: {error}") from error
    body = json.dumps(request(recipe, WARM_UP)).encode()
    headers = {"content-type": "application/json", **recipe.headers}
    asked = urllib.request.Request(f"http://127.0.0.1:{process.port}/v1/chat/completions", body, headers)
    while fault := _fault(asked):
        if process.ended or time.monotonic() - began > START_S:
            raise NotStarted(f"did not start: {fault}\n{process.said}")
        time.sleep(0.02)
    return process, time.monotonic() - began


def settle(process: Process) -> None:
    """Wait until what it still does beside answering is done: loading a model, say. For START_S at most."""
    until, before = time.monotonic() + START_S, process.cpu()
    while time.monotonic() < until:
        time.sleep(1)
        if (now := process.cpu()) - before < IDLE:
            return
        before = now


def _fault(asked: urllib.request.Request) -> str | None:
    """Why a request was not answered with 200."""
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        return f"{error}: {error.read(1000)!r}"
    except OSError as error:
        return str(error)
    return None
