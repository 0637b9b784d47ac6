"""The backend and the load generator of the comparison, compiled where they are used. Need a C compiler and Linux."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import running
from benchmarks.running import Process, free_port

HERE = Path(__file__).parent


def build(folder: Path, name: str) -> Path:
    """The program of `name`.c. Exits where there is no compiler, or where it fails."""
    if not (compiler := shutil.which("cc")):
        raise SystemExit(
            "There is no C compiler (cc), and the stub and the load generator are in C: install gcc or clang."
        )
    program = folder / name
    subprocess.run([compiler, "-O2", "-o", program, HERE / f"{name}.c"], check=True)
    return program


@contextmanager
def backend(folder: Path, core: int) -> Iterator[Process]:
    """stub.c on `core`, with stub.py behind it for what gateways ask when they start."""
    program, port = build(folder, "stub"), free_port()
    with (
        running.stub(folder, core) as behind,
        Process([program, port, behind.port], [core], folder / "stub-c.log", port) as process,
    ):
        process.waited("/answered")
        yield process


def answered(stub: Process) -> int:
    """How many chats it has answered."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stub.port}/answered", timeout=60) as answer:
        return int(json.load(answer)["answered"])
