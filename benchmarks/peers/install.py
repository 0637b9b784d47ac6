"""The peers as their registries have them, at the versions that were measured; and what an installation weighs.

Each has a folder of its own below the peers' folder: a virtual environment, or a Node project. Knows not how they run.
A weight is in MB (10**6 bytes) with all that is required, without the interpreter and without bytecode.
"""

import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import distribution, files, requires
from pathlib import Path

from packaging.requirements import Requirement

PYTHON_PEERS = {
    "litellm": "litellm[proxy]==1.106.2",
    "vllm-router": "vllm-router==0.1.17",
    "sglang-router": "sglang-router==0.3.2",
}
NODE_PEERS = {"portkey": "@portkey-ai/gateway@1.15.2"}
VERSIONS = PYTHON_PEERS | NODE_PEERS
OWN = ("gateway", "prompts", "retrieval", "serving")  # our packages: an editable installation lists no files


def install(peers: Path) -> None:
    """Bring every peer into `peers`, from PyPI and npm. Raises CalledProcessError when one cannot be had."""
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    for name, requirement in PYTHON_PEERS.items():
        venv.create(peers / name)
        subprocess.run([*pip, "--python", peers / name / "bin/python", "install", "-q", requirement], check=True)
    for name, package in NODE_PEERS.items():
        (peers / name).mkdir(parents=True, exist_ok=True)
        npm = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", peers / name)
        subprocess.run([*npm, package], check=True)


def installed(peers: Path) -> list[str]:
    """The names of the peers that are there."""
    return [name for name in VERSIONS if any(_folders(peers / name))]


def weight(peers: Path, name: str) -> float:
    return _megabytes(file for folder in _folders(peers / name) for file in folder.rglob("*"))


def own_weight(root: Path) -> float:
    """Tollgate's, whose packages are in `root`, with what it requires of this interpreter's environment."""
    own = (file for package in OWN for file in (root / package).rglob("*"))
    others = (Path(str(file.locate())) for name in required("tollgate") for file in files(name) or ())
    return _megabytes(own) + _megabytes(others)


def required(name: str) -> set[str]:
    """The names of a distribution and of all that it needs here, without extras."""
    found, todo = set[str](), [name]
    while todo:
        if (name := distribution(todo.pop()).name) not in found:
            found.add(name)
            needs = map(Requirement, requires(name) or ())
            todo += [need.name for need in needs if not need.marker or need.marker.evaluate({"extra": ""})]
    return found


def _folders(peer: Path) -> list[Path]:
    """Where a peer and what it requires lie; none when it is not installed."""
    return [*peer.glob("lib/python3.*/site-packages"), *peer.glob("node_modules")]


def _megabytes(paths: Iterable[Path]) -> float:
    return sum(_sizes(paths)) / 1e6


def _sizes(paths: Iterable[Path]) -> Iterator[int]:
    for path in paths:
        if path.suffix != ".pyc" and path.is_file() and not path.is_symlink():
            yield path.stat().st_size
