import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retrieval import folder
from retrieval.embed import Embedder
from retrieval.index import Collection, Manifest, NoCollection
from retrieval.ingest import NothingToIndex, Progress, build

ROOT = Path(__file__).parents[2]
BUILD = """
import sys
import threading
from pathlib import Path
from retrieval.embed import Embedder
from retrieval.ingest import build
manifest = build(Path(sys.argv[1]), Path(sys.argv[2]), Embedder(), lambda step: None)
print(manifest.version, "torch" in sys.modules)
"""


class Folder:
    """A folder of documents, and the steps of its last build."""

    def __init__(self, path: Path, embedder: Embedder) -> None:
        self.source = path / "source"
        self.source.mkdir()
        self.target = path / "built" / "docs"
        self.embedder = embedder
        self.steps: list[Progress] = []

    def write(self, name: str, content: str | bytes) -> None:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def build(self) -> Manifest:
        self.steps.clear()
        return build(self.source, self.target, self.embedder, self.steps.append)

    def embedded(self) -> int:
        return max((step.done for step in self.steps if step.step == "embed"), default=0)

    def find(self, question: str) -> str:
        collection = Collection.load(self.target, self.embedder.identity)
        return collection.search(self.embedder.encode([question])[0], 1)[0].passage.text


@pytest.fixture
def documents(tmp_path: Path, embedder: Embedder) -> Folder:
    return Folder(tmp_path, embedder)


def test_a_folder_becomes_a_collection_that_is_searched(documents: Folder, pdf: Callable[[list[str]], bytes]) -> None:
    documents.write("a/cats.md", "# Cats\n\n## Food\n\nCats eat mice and fish.\n")
    documents.write("gpu.html", "<h1>GPU</h1><p>A graphics card multiplies matrices.")
    documents.write("money.txt", "The invoice is due in May.")
    documents.write("trees.pdf", pdf(["An oak grows slowly in the forest"]))
    documents.write(".hidden/secret.md", "hidden")
    documents.write("photo.jpg", b"\xff\xd8")
    manifest = documents.build()
    assert (manifest.documents, manifest.passages, manifest.failures) == (4, 4, {})
    assert list(manifest.sources) == ["a/cats.md", "gpu.html", "money.txt", "trees.pdf"]
    assert documents.find("What do pets like to eat?") == "Cats eat mice and fish."
    assert documents.find("When do I have to pay?") == "The invoice is due in May."
    assert documents.find("hardware for linear algebra") == "A graphics card multiplies matrices."
    assert "oak" in documents.find("Which plant grows slowly?")


def test_bad_files_are_reported_and_do_not_stop_the_others(documents: Folder, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("outside")
    documents.write("good.md", "# Good\n\nThis page is fine.\n")
    documents.write("script.html", "<script>alert('only this')</script>")
    documents.write("broken.pdf", "%PDF-1.7 broken")
    documents.write("empty.txt", "")
    documents.write(os.fsdecode(b"caf\xe9.md"), "# A\n\nThe name of this file is not UTF-8.\n")
    documents.write("latin.txt", "caf\xe9".encode("latin-1"))
    (documents.source / "outside.md").symlink_to(tmp_path / "secret.md")
    manifest = documents.build()
    assert (manifest.documents, len(manifest.failures)) == (2, 5)
    assert "caf\\xe9.md" in manifest.sources
    reported = {step.document: step.reason for step in documents.steps if step.step == "left_out"}
    assert reported == manifest.failures
    assert "link out of the folder" in reported["outside.md"]
    assert documents.find("Is this page fine?") == "This page is fine."
    documents.build()  # nothing changed: the same complaints, no work
    assert {step.document: step.reason for step in documents.steps if step.step == "left_out"} == reported
    assert documents.steps[-1].step == "unchanged"


def test_only_what_changed_is_embedded_again(documents: Folder) -> None:
    for number in range(6):
        documents.write(f"{number}.md", f"# Page {number}\n\nThis page tells about the number {number}.\n")
    first = documents.build()
    assert documents.embedded() == 6
    before = Collection.load(documents.target, documents.embedder.identity)
    documents.write("3.md", "# Page 3\n\nThis page was rewritten and is about whales.\n")
    (documents.source / "5.md").unlink()
    documents.write("copy.md", "# Page 1\n\nThis page tells about the number 1.\n")
    second = documents.build()
    assert documents.embedded() == 1
    assert (second.passages, second.version != first.version) == (6, True)
    assert documents.find("animals in the sea") == "This page was rewritten and is about whales."
    after = Collection.load(documents.target, documents.embedder.identity)
    vectors = {one.embedded: vector for one, vector in zip(before.passages, before.vectors(), strict=True)}
    kept = [
        (vectors[one.embedded], v)
        for one, v in zip(after.passages, after.vectors(), strict=True)
        if one.embedded in vectors
    ]
    assert len(kept) == 5
    assert all(np.array_equal(old, new) for old, new in kept)


def test_the_same_text_twice_is_embedded_once(documents: Folder) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    documents.write("b.md", "# A\n\nText of the page.\n")
    assert documents.build().passages == 2
    assert documents.embedded() == 1


def test_a_build_waits_for_the_one_before(documents: Folder) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    second = threading.Thread(target=documents.build)
    with folder.exclusive(documents.target):
        second.start()
        second.join(0.5)
        assert documents.steps == []
    second.join(60)
    assert documents.embedded() == 1


def test_a_second_build_changes_nothing_and_loads_no_model(documents: Folder) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    first = documents.build()
    files = {path: path.stat().st_mtime_ns for path in documents.target.rglob("*.*")}
    command = [sys.executable, "-c", BUILD, str(documents.source), str(documents.target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == [first.version, "False"]
    assert {path: path.stat().st_mtime_ns for path in documents.target.rglob("*.*")} == files


def test_a_damaged_collection_is_built_anew(documents: Folder) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    version = documents.build().version
    (documents.target / version / "index.faiss").write_bytes(b"damaged")
    documents.build()
    assert documents.embedded() == 1
    assert documents.find("page") == "Text of the page."


def test_a_collection_of_another_embedder_is_built_anew(documents: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    monkeypatch.setattr(documents.embedder, "identity", "other@1", raising=False)
    documents.build()
    monkeypatch.undo()
    assert documents.build().embedder == documents.embedder.identity
    assert documents.embedded() == 1


def test_nothing_readable_is_an_error_and_what_was_there_stays(documents: Folder) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    documents.build()
    documents.write("a.md", "")
    with pytest.raises(NothingToIndex, match="1 of 1 files"):
        documents.build()
    assert documents.find("page") == "Text of the page."
    shutil.rmtree(documents.source)
    with pytest.raises(NothingToIndex, match="is not a folder"):
        documents.build()


def test_a_build_that_fails_leaves_no_collection(documents: Folder) -> None:
    with pytest.raises(NothingToIndex):
        documents.build()
    with pytest.raises(NoCollection):
        Collection.load(documents.target, documents.embedder.identity)
