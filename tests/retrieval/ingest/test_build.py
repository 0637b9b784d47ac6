import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from retrieval.collection import Collection, Manifest, NoCollection, rollback, writing
from retrieval.embed import Embedder
from retrieval.ingest import NothingToIndex, Progress, Rule, build
from retrieval.passage import Passage
from retrieval.protocols import Embeds
from retrieval.query import Scope, Vectors
from tests.retrieval.ingest.letters import Letters

ROOT = Path(__file__).parents[3]
BUILD = """
import sys
from pathlib import Path
from {module} import {embedder}
from retrieval.ingest import build
def report(step):
    print(step.step, step.done, flush=True)
manifest = build(Path(sys.argv[1]), Path(sys.argv[2]), {embedder}(), report)
print(manifest.version, "torch" in sys.modules)
"""


class Folder:
    """A folder of documents, and the steps of its last build."""

    def __init__(self, path: Path, embedder: Embeds) -> None:
        self.source = path / "source"
        self.source.mkdir()
        self.target = path / "built" / "docs"
        self.embedder = embedder
        self.steps: list[Progress] = []

    def write(self, name: str, content: str | bytes) -> None:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def build(self, rules: Sequence[Rule] = ()) -> Manifest:
        self.steps.clear()
        return build(self.source, self.target, self.embedder, self.steps.append, rules)

    def embedded(self) -> int:
        return max((step.done for step in self.steps if step.step == "embed"), default=0)

    def left_out(self) -> dict[str, str]:
        return {step.document: step.reason for step in self.steps if step.step == "left_out"}

    def load(self) -> Collection:
        return Collection.load(self.target, self.embedder.identity)

    def find(self, question: str) -> str:
        collection = self.load()
        rows = collection.dense(self.embedder.ask([question])[0], 1, Scope()).rows
        return collection.passages(rows.tolist())[0].text

    def passages(self) -> dict[str, Passage]:
        """The first passage of each document, by the document's id."""
        collection = self.load()
        return {one.document: one for one in reversed(collection.passages(collection.rows().tolist()))}


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
    assert (manifest.documents, manifest.passages, manifest.left_out) == (4, 4, 0)
    assert list(documents.load().entries()) == ["a/cats.md", "gpu.html", "money.txt", "trees.pdf"]
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
    assert (manifest.documents, manifest.left_out) == (2, 5)
    entries = documents.load().entries()
    assert "caf\\xe9.md" in entries
    reported = documents.left_out()
    assert reported == {name: entry.failure for name, entry in entries.items() if entry.failure}
    assert "link out of the folder" in reported["outside.md"]
    assert documents.find("Is this page fine?") == "This page is fine."
    documents.build()  # nothing changed: the same complaints, no work
    assert documents.left_out() == reported
    assert documents.steps[-1].step == "unchanged"


def test_only_what_changed_is_embedded_again(documents: Folder) -> None:
    for number in range(6):
        documents.write(f"{number}.md", f"# Page {number}\n\nThis page tells about the number {number}.\n")
    first = documents.build()
    assert documents.embedded() == 6
    before = vectors(documents.load())
    documents.write("3.md", "# Page 3\n\nThis page was rewritten and is about whales.\n")
    (documents.source / "5.md").unlink()
    documents.write("copy.md", "# Page 1\n\nThis page tells about the number 1.\n")
    second = documents.build()
    assert documents.embedded() == 1
    assert (second.passages, second.version != first.version) == (5, True)
    assert documents.left_out() == {"copy.md": "says the same as 1.md, which is indexed"}
    assert documents.find("animals in the sea") == "This page was rewritten and is about whales."
    after = vectors(documents.load())
    kept = [name for name in after if name in before]
    assert len(kept) == 4
    assert all(np.array_equal(before[name], after[name]) for name in kept)


def vectors(collection: Collection) -> dict[str, Vectors]:
    rows = collection.rows().tolist()
    return {one.id: vector for one, vector in zip(collection.passages(rows), collection.vectors(rows), strict=True)}


def test_the_same_text_twice_is_embedded_once(documents: Folder) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    documents.write("b.md", "---\naccess: staff\n---\n# A\n\nText of the page.\n")
    assert documents.build().passages == 2
    assert documents.embedded() == 1


def test_a_build_waits_for_the_one_before(documents: Folder) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    second = threading.Thread(target=documents.build)
    with writing(documents.target, "other@1", 3):
        second.start()
        second.join(0.5)
        assert documents.steps == []
    second.join(60)
    assert documents.embedded() == 1


def test_a_second_build_changes_nothing_and_loads_no_model(documents: Folder) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    first = documents.build()
    files = written(documents.target)
    command = building(documents, "retrieval.embed", "Embedder")
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split()[-2:] == [first.version, "False"]
    assert written(documents.target) == files


def building(documents: Folder, module: str, embedder: str) -> list[str]:
    """The command that builds in a process of its own."""
    script = BUILD.format(module=module, embedder=embedder)
    return [sys.executable, "-c", script, str(documents.source), str(documents.target)]


def written(target: Path) -> dict[Path, int]:
    """The files of versions, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in target.glob("*/**/*") if path.is_file()}


def test_a_damaged_collection_is_built_anew(documents: Folder) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    version = documents.build().version
    for path in (documents.target / version).glob("*.faiss*"):
        path.unlink()
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
    with pytest.raises(NothingToIndex, match="1 documents are left out"):
        documents.build()
    assert documents.find("page") == "Text of the page."
    shutil.rmtree(documents.source)
    with pytest.raises(NothingToIndex, match="is not a folder"):
        documents.build()


def test_a_build_that_fails_leaves_no_collection(documents: Folder) -> None:
    with pytest.raises(NothingToIndex):
        documents.build()
    with pytest.raises(NoCollection):
        documents.load()


def test_of_near_duplicates_the_first_is_indexed_and_the_next_takes_its_place(documents: Folder) -> None:
    text = " ".join(f"Sentence {word} tells something about the house and its garden." for word in "abcdefghijklmno")
    documents.write("b.md", f"# House\n\n{text}\n")
    documents.write("c.md", f"# House\n\n{text} The end.\n")
    documents.build()
    assert list(documents.passages()) == ["b.md"]
    assert documents.left_out() == {"c.md": "says the same as b.md, which is indexed"}
    documents.write("a.md", f"# House\n\n{text} An end.\n")
    documents.build()
    assert list(documents.passages()) == ["a.md"]
    (documents.source / "a.md").unlink()
    (documents.source / "b.md").unlink()
    documents.build()
    assert list(documents.passages()) == ["c.md"]
    assert documents.left_out() == {}


def test_copies_with_other_labels_are_all_indexed(documents: Folder) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    documents.write("hr/a.md", "# A\n\nText of the page.\n")
    documents.write("hr/b.md", "---\naccess: board\n---\n# A\n\nText of the page.\n")
    documents.write("hr/c.md", "---\nmetadata: {team: x}\n---\n# A\n\nText of the page.\n")
    documents.build([Rule("hr/**", ("hr",))])
    assert {name: one.access for name, one in documents.passages().items()} == {
        "a.md": (),
        "hr/a.md": ("hr",),
        "hr/b.md": ("board", "hr"),
        "hr/c.md": ("hr",),
    }


def test_labels_that_changed_reach_the_passages_and_nothing_is_embedded_again(documents: Folder) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    documents.write("b.md", "# B\n\nAnother page of text.\n")
    documents.build()
    documents.build([Rule("b.md", ("hr",), {"team": "people"}), Rule("c.md", ("hr",))])
    assert (documents.passages()["b.md"].access, documents.passages()["b.md"].metadata) == (("hr",), {"team": "people"})
    assert documents.embedded() == 0
    assert [step.document for step in documents.steps if step.step == "unmatched"] == ["c.md"]


def test_after_a_rollback_the_next_build_brings_back_what_the_folder_holds(documents: Folder) -> None:
    documents.write("a.md", "# A\n\nText of the page.\n")
    documents.build()
    documents.write("b.md", "# B\n\nAnother page of text.\n")
    documents.build()
    rollback(documents.target)
    assert list(documents.passages()) == ["a.md"]
    documents.build()
    assert sorted(documents.passages()) == ["a.md", "b.md"]


def test_two_documents_of_one_id_are_told(documents: Folder) -> None:
    documents.write("a.jsonl", '{"id": 1, "text": "First text."}\n{"id": 1, "text": "Second text, other words."}\n')
    assert documents.build().documents == 1
    assert documents.left_out() == {"a.jsonl/1": "has the id of another document (a.jsonl line 2)"}
    assert documents.passages()["a.jsonl/1"].text == "First text."


def test_of_a_file_of_many_documents_only_those_that_changed_are_embedded(documents: Folder) -> None:
    lines = [f'{{"id": "d{n}", "text": "Document about the number {n}.", "access": "hr"}}' for n in range(5)]
    documents.write("all.jsonl", "\n".join(lines))
    documents.build()
    lines[2] = '{"id": "d2", "text": "Now it is about whales."}'
    documents.write("all.jsonl", "\n".join(["not JSON", *lines[:4]]))
    manifest = documents.build()
    assert (documents.embedded(), manifest.documents) == (1, 4)
    assert [*documents.left_out().values()] == ["line 1 is no valid JSON (Expecting value at character 0)"]
    assert {name: one.access for name, one in documents.passages().items()} == {
        "all.jsonl/d0": ("hr",),
        "all.jsonl/d1": ("hr",),
        "all.jsonl/d2": (),
        "all.jsonl/d3": ("hr",),
    }


def test_a_build_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    documents = Folder(tmp_path, Letters())
    for number in range(96):
        documents.write(f"{number}.md", f"# Page {number}\n\nThis page tells about the number {number}.\n")
    command = building(documents, "tests.retrieval.ingest.letters", "Letters")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        done = next(int(line.split()[1]) for line in process.stdout if line.startswith("embed"))
        process.kill()
    with pytest.raises(NoCollection):
        documents.load()
    assert documents.build().documents == 96
    assert documents.embedded() <= 96 - done
