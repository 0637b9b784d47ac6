"""The same build on Ray Data, in the environment that has Ray: `make prove` installs it."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from retrieval.collection import Collection
from retrieval.embed import Embedder
from retrieval.ingest import Rule
from tests.fakes.ports import free_port
from tests.retrieval.ingest.letters import Letters
from tests.retrieval.ingest.test_build import Folder, vectors

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-ray" / "bin" / "python"
BUILD = """
import sys
from pathlib import Path
from retrieval.embed import Embedder
from retrieval.ingest import RayEngine, Rule, build
def report(step):
    print(step.step, step.done, step.document, step.reason, flush=True)
embedder, rules = Embedder(), [Rule("hr/**", ("hr",), {"team": "people"})]
build(Path(sys.argv[1]), Path(sys.argv[2]), embedder, report, rules, RayEngine(Embedder))
"""


FAILING = """
import os, sys
from pathlib import Path
from retrieval.ingest import EngineUnavailable, RayEngine, build
from tests.retrieval.ingest.letters import Letters
class Raises(Letters):
    def encode(self, texts):
        raise LookupError("the weights are lost")
class Dies(Letters):
    def encode(self, texts):
        os._exit(1)
made = {"Raises": Raises, "Dies": Dies}[sys.argv[3]]
try:
    build(Path(sys.argv[1]), Path(sys.argv[2]), made(), lambda step: None, (), RayEngine(made))
except EngineUnavailable as error:
    print(error)
"""


def on_ray(documents: Folder, target: Path) -> list[str]:
    """Build on a local Ray, started for it; the lines of its report that are not progress."""
    lines = in_ray(BUILD, str(documents.source), str(target))
    return [line for line in lines if not line.startswith(("parse", "embed"))]


def in_ray(script: str, *arguments: str, address: str = "") -> list[str]:
    """What a script prints in the environment that has Ray."""
    path = os.pathsep.join([str(ROOT), sysconfig.get_paths()["purelib"]])
    environment = {**os.environ, "PYTHONPATH": path, "RAY_ADDRESS": address}
    command = [str(PYTHON), "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.prove
def test_a_build_on_ray_gives_the_same_collection(embedder: Embedder, tmp_path: Path) -> None:
    documents = Folder(tmp_path, embedder)
    for number in range(200):
        documents.write(
            f"{number % 7}/{number}.md", f"# Page {number}\n\nAll about the number {number}.\n" * (1 + number % 5)
        )
    documents.write("hr/copy.md", "# Page 1\n\nAll about the number 1.\n" * 2)
    documents.write("all.jsonl", '{"id": 1, "text": "A line of text."}\nbroken\n')
    documents.write("broken.pdf", "%PDF-1.7 broken")
    documents.write("hr/same.md", "# Leave\n\nThirty days of leave for all.\n")
    documents.write("hr/z.md", "# Leave\n\nThirty days of leave for all.\n")
    told = on_ray(documents, tmp_path / "ray")
    documents.build([Rule("hr/**", ("hr",), {"team": "people"})])
    local, remote = documents.load(), Collection.load(tmp_path / "ray", embedder.identity)
    assert dict(remote.entries().items()) == dict(local.entries().items())
    assert len([line for line in told if line.startswith("left_out")]) == remote.manifest.left_out == 3
    ours, theirs = (
        {one.id: one for one in collection.passages(collection.rows().tolist())} for collection in (local, remote)
    )
    assert ours == theirs
    one, other = vectors(local), vectors(remote)
    assert max(float(np.abs(one[name] - other[name]).max()) for name in one) <= 1e-6
    assert on_ray(documents, tmp_path / "ray")[-1].startswith("unchanged")


@pytest.mark.prove
@pytest.mark.parametrize(
    ("embedder", "address", "words"),
    [
        ("Raises", "", "Ray gave up.*LookupError: .*the weights are lost"),
        ("Dies", "", "Ray gave up.*ActorDiedError"),
        ("Raises", f"127.0.0.1:{free_port()}", "Ray cannot be reached: check RAY_ADDRESS.*ConnectionRefusedError"),
        ("Raises", "127.0.0.1:port", "Ray cannot be reached: check RAY_ADDRESS.*ValueError"),
    ],
    ids=["raises", "dies", "nobody", "malformed"],
)
def test_what_fails_in_ray_is_one_error(tmp_path: Path, embedder: str, address: str, words: str) -> None:
    documents = Folder(tmp_path, Letters())
    documents.write("a.md", "# A\n\nText of the page.\n")
    *_, told = in_ray(
        FAILING, str(documents.source), str(documents.target), embedder, address=address
    )  # Ray prints too
    assert re.fullmatch(f"{words}.*", told)


def test_without_ray_it_says_what_to_install() -> None:
    script = "import sys; sys.modules['ray'] = None; from retrieval.ingest import RayEngine; RayEngine(lambda: None)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert "EngineUnavailable: Ray is not installed: pip install 'tollgate[ray]'" in done.stderr
