"""Starting goes through the shared fixture `engine`; here is what happens when it goes wrong, quickly.

The interpreter is a script that fails in some way, or that serves the scripted backend in vLLM's place.
"""

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from serving.backend import Backend
from serving.launch import EngineFailed, launch
from tests.conftest import ROOT
from tests.fakes.ports import free_port

SERVING = f"""#!/bin/sh
echo "Initializing a V1 LLM engine"
port=$(echo "$@" | sed 's/.*--port \\([0-9]*\\).*/\\1/')
cd {ROOT} && exec {sys.executable} -c "
import asyncio
from tests.fakes.backend import FakeBackend
async def main():
    async with FakeBackend($port):
        await asyncio.sleep({{seconds}})
asyncio.run(main())"
"""


def interpreter(folder: Path, script: str) -> Path:
    path = folder / "python"
    path.write_text(script)
    path.chmod(0o755)
    return path


def failure(python: Path, folder: Path, seconds: float = 60, port: int = 0) -> str:
    """The message with which a start fails."""

    async def run() -> None:
        starting = launch(
            folder, port or free_port(), python, folder / "log" / "vllm.log", lambda _: None, start_seconds=seconds
        )
        async with starting:
            raise AssertionError("it started")

    with pytest.raises(EngineFailed) as raised:
        asyncio.run(run())
    return str(raised.value)


def test_a_start_tells_how_it_goes_and_ends_with_an_engine_that_answers(tmp_path: Path) -> None:
    said: list[str] = []
    port = free_port()

    async def run() -> None:
        python = interpreter(tmp_path, SERVING.format(seconds=300))
        async with launch(tmp_path, port, python, tmp_path / "vllm.log", said.append) as engine:
            backend = Backend("b", engine.url)
            assert await backend.health()
            await backend.aclose()

    asyncio.run(run())
    assert said[0].startswith("starting vLLM")
    assert "vLLM: starting the engine" in said
    assert said[-1] == "vLLM is ready"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_an_engine_that_dies_later_is_told(tmp_path: Path) -> None:
    async def run() -> str:
        python = interpreter(tmp_path, SERVING.format(seconds=2))
        async with launch(tmp_path, free_port(), python, tmp_path / "vllm.log", lambda _: None) as engine:
            return await asyncio.wait_for(engine.died(), 60)

    assert asyncio.run(run()).startswith("vLLM ended with status 0")


def test_an_engine_that_dies_as_it_starts_shows_its_log(tmp_path: Path) -> None:
    said = failure(interpreter(tmp_path, "#!/bin/sh\necho first; echo something broke >&2; exit 3\n"), tmp_path)
    assert "status 3" in said
    assert "something broke" in said
    assert "read the whole log" in said


@pytest.mark.parametrize(
    ("line", "advice"),
    [("ModuleNotFoundError: No module named 'vllm'", "make install"), ("Cannot allocate memory", "free some memory")],
)
def test_known_causes_come_with_advice(line: str, advice: str, tmp_path: Path) -> None:
    assert advice in failure(interpreter(tmp_path, f'#!/bin/sh\necho "{line}"; exit 1\n'), tmp_path)


def test_a_missing_interpreter_comes_with_advice(tmp_path: Path) -> None:
    assert "make install" in failure(tmp_path / "nowhere" / "python", tmp_path)


def test_an_engine_that_never_answers_is_given_up(tmp_path: Path) -> None:
    said = failure(interpreter(tmp_path, "#!/bin/sh\necho loading; sleep 300\n"), tmp_path, seconds=1)
    assert "within 1 s" in said
    assert "loading" in said


def test_a_port_in_use_is_noticed_before_its_owner_answers_instead(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} is in use" in failure(interpreter(tmp_path, "#!/bin/sh\n"), tmp_path, port=port)
