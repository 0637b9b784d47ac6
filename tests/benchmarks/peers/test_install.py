"""What is installed, and what it weighs."""

from pathlib import Path

from benchmarks.peers.install import installed, required, weight


def write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))


def test_a_peer_weighs_its_files_without_bytecode(tmp_path: Path) -> None:
    packages = tmp_path / "vllm-router/lib/python3.11/site-packages"
    write(packages / "vllm_router/router.so", 3_000_000)
    write(packages / "other/__pycache__/other.pyc", 5_000_000)
    write(tmp_path / "vllm-router/bin/python", 7_000_000)
    write(tmp_path / "portkey/node_modules/hono/hono.js", 500_000)
    assert installed(tmp_path) == ["vllm-router", "portkey"]
    assert weight(tmp_path, "vllm-router") == 3.0
    assert weight(tmp_path, "portkey") == 0.5


def test_nothing_is_installed_where_there_is_nothing(tmp_path: Path) -> None:
    assert installed(tmp_path / "nowhere") == []


def test_what_we_require_is_counted_with_what_that_requires_and_without_the_tests() -> None:
    names = required("tollgate")
    assert {"tollgate", "uvicorn", "torch", "typing_extensions"} <= names
    assert not {"pytest", "mypy"} & names
