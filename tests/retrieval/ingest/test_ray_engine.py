"""The same build on Ray Data, in the environment that has Ray: `make prove` installs it."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from retrieval.collection import Collection
from retrieval.embed import Embedder
from retrieval.ingest import Rule
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


def on_ray(documents: Folder, target: Path) -> list[str]:
    """Build on a local Ray, started for it; the lines of its report that are not progress."""
    path = os.pathsep.join([str(ROOT), sysconfig.get_paths()["purelib"]])
    command = [str(PYTHON), "-c", BUILD, str(documents.source), str(target)]
    environment = {**os.environ, "PYTHONPATH": path, "RAY_ADDRESS": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if not line.startswith(("parse", "embed"))]


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


def test_without_ray_it_says_what_to_install() -> None:
    script = "import sys; sys.modules['ray'] = None; from retrieval.ingest import RayEngine; RayEngine(lambda: None)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert "EngineUnavailable: Ray is not installed: pip install 'tollgate[ray]'" in done.stderr
