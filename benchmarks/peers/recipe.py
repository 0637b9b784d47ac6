"""What a gateway is to the comparison: how it is started on one core, and how it is asked. Knows no figure."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.running import Process, free_port


@dataclass(frozen=True, slots=True)
class Recipe:
    """One gateway: `start` takes its cores; `headers` and `fields` go with every request.

    `rate` requests, or `streams` streams, a second leave it idle most of the time: its latency is then its own.
    """

    name: str
    start: Callable[[Sequence[int]], AbstractContextManager[Process]]
    headers: Mapping[str, str]
    fields: Mapping[str, Any] = field(default_factory=dict)
    rate: int = 50
    streams: int = 10


def direct(stub: Process) -> Recipe:
    """No gateway: the backend itself, which is running already. What the others are compared with."""
    return Recipe("direct", lambda _: nullcontext(stub), {})


@dataclass(frozen=True, slots=True)
class Place:
    """Where things are: a folder for files and logs, the installed peers, the backend's port."""

    folder: Path
    peers: Path
    backend: int

    def run(self, name: str, command: Sequence[object], extra: Mapping[str, str]) -> Callable[[Sequence[int]], Process]:
        """A start of this command; "{port}" and "{other}" in it are ports that are free then."""

        def start(cores: Sequence[int]) -> Process:
            ports = {"port": free_port(), "other": free_port()}
            filled = [str(part).format_map(ports) for part in command]
            return Process(filled, cores, self.folder / f"{name}.log", ports["port"], extra)

        return start


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}
