"""A folder that was made to break a build: a small one always, the full sizes by `make prove`."""

import io
import os
import re
import resource
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.collection import Collection
from retrieval.embed import Embedder
from retrieval.ingest import Progress, build
from retrieval.ingest.files import walk
from retrieval.ingest.reading import MAX_PASSAGES, Reader
from retrieval.parsing.limits import Limits
from tests.retrieval.ingest.letters import Letters
from tests.retrieval.ingest.test_build import Folder

ROOT = Path(__file__).parents[3]
GOOD = "# Good\n\nThis page is fine.\n"
SECRET = "The secret lies outside."
BOMBS = ("deep.html", "tables.html", "brackets.md", "quotes.md", "objects.jsonl")
# Prints for each document left out why, then the most memory in MiB and the seconds of processor time that the build
# took beside the model, and those of its parsers.
BUILD = """
import resource, sys
from pathlib import Path
from retrieval.embed import Embedder
from retrieval.ingest import build
embedder = Embedder()
embedder.encode(["the model is loaded"])
def took(who):
    used = resource.getrusage(who)
    return used.ru_maxrss // 1024, int(used.ru_utime + used.ru_stime)
before = took(resource.RUSAGE_SELF)
def report(step):
    if step.step == "left_out":
        print(step.document, step.reason, sep="\\t", flush=True)
build(Path(sys.argv[1]), Path(sys.argv[2]), embedder, report)
after = took(resource.RUSAGE_SELF)
print(after[0] - before[0], after[1] - before[1], *took(resource.RUSAGE_CHILDREN))
"""


def zip_bomb(megabytes: int) -> bytes:
    file = io.BytesIO()
    archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with archive, archive.open("word/document.xml", "w") as part:
        for _ in range(megabytes):
            part.write(b" " * 2**20)
    return file.getvalue()


def pdf_bomb(pdf: Callable[[list[str]], bytes], megabytes: int) -> bytes:
    """A page whose stream unfolds to so much text."""
    stream = zlib.compress(b"BT /F1 12 Tf 72 720 Td " + b"(a) Tj " * (megabytes * 2**20 // 7) + b"ET", 1)
    packed = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream)
    return re.sub(rb"<< /Length \d+ >>\nstream\n.*?\nendstream", lambda _: packed, pdf(["x"]), flags=re.DOTALL)


def nested(folder: Path, depth: int) -> None:
    """Folders deeper than a path can say."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def make_hostile(documents: Folder, pdf: Callable[[list[str]], bytes], docx: int, page: int, line: int) -> None:
    """With a DOCX, a PDF's page and a line of JSON that unfold to so many megabytes."""
    outside = documents.source.parent / "secret.md"
    outside.write_text(SECRET)
    documents.write("good.md", GOOD)
    documents.write("broken.pdf", "%PDF-1.7 broken")
    documents.write("bomb.docx", zip_bomb(docx))
    documents.write("bomb.pdf", pdf_bomb(pdf, page))
    documents.write(
        "lines.jsonl", '{"id": "a", "text": "A line about tulips."}\n{"text": \n{"id": "b", "text": "Roses."}\n'
    )
    documents.write("latin.txt", b"caf\xe9 " * 100)
    (documents.source / "link.md").symlink_to(outside)
    (documents.source / "linked").symlink_to(documents.source.parent)
    os.mkfifo(documents.source / "pipe.md")
    with (documents.source / "one-line.jsonl").open("wb") as file:
        file.truncate(line * 2**20)
    nested(documents.source, 30)


def left_out(found: dict[str, str], name: str) -> str:
    return next(reason for document, reason in found.items() if document.startswith(name))


def check(collection: Collection, found: dict[str, str]) -> None:
    rows = collection.rows().tolist()
    assert {passage.document for passage in collection.passages(rows)} == {"good.md", "lines.jsonl/a", "lines.jsonl/b"}
    assert not any(SECRET in passage.text for passage in collection.passages(rows))
    assert "no valid PDF" in left_out(found, "broken.pdf")
    assert "unpacks to" in left_out(found, "bomb.docx")
    assert left_out(found, "bomb.pdf")
    assert "line 2 is no valid JSON" in left_out(found, "lines.jsonl")
    assert "not UTF-8" in left_out(found, "latin.txt")
    assert "link out of the folder" in left_out(found, "link.md")
    assert "not a regular file" in left_out(found, "pipe.md")
    assert "line 1 is longer than 20 MiB" in left_out(found, "one-line.jsonl")
    assert "File name too long" in left_out(found, "d" * 200)


def test_a_hostile_folder_costs_its_own_files_and_no_other(tmp_path: Path, pdf: Callable[[list[str]], bytes]) -> None:
    documents = Folder(tmp_path, Letters())
    make_hostile(documents, pdf, 201, 80, 21)  # just above each limit
    documents.build()
    check(documents.load(), documents.left_out())


def test_a_document_of_too_many_passages_is_refused_before_all_are_cut(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# T\n\n" + "word " * 30)
    reader, (file,) = Reader(lambda text: 1 + 20 * len(text.split()), 200), walk(tmp_path)
    (few,) = reader.read(file, ())
    (tmp_path / "a.md").write_text("# T\n\n" + "word " * (10 * MAX_PASSAGES))
    (many,) = reader.read(file, ())
    reader.close()
    assert (few.failure, len(few.passages) > 2) == ("", True)
    assert (many.failure, many.passages) == ("gives more than 10,000 passages: split it", ())


@pytest.mark.prove
@pytest.mark.timeout(1800)  # 4 minutes on two busy cores
def test_a_hostile_folder_of_full_size_takes_bounded_memory_and_time(
    embedder: Embedder, tmp_path: Path, pdf: Callable[[list[str]], bytes]
) -> None:
    documents = Folder(tmp_path, embedder)
    make_hostile(documents, pdf, 1024, 1024, 1024)
    documents.write("deep.html", b"<div>" * 4_000_000)
    documents.write("tables.html", b"<table><tr><td>" * 1_000_000)
    documents.write("brackets.md", b"[" * 20_000_000)
    documents.write("quotes.md", b"> " * 10_000_000)
    documents.write("objects.jsonl", b'{"text": "a", "metadata": [' + b"[]," * 6_000_000 + b"[]]}")
    command = [sys.executable, "-c", BUILD, str(documents.source), str(documents.target)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    *lines, taken = done.stdout.splitlines()
    found = dict(line.split("\t", 1) for line in lines)
    check(documents.load(), found)
    assert all(left_out(found, name) for name in BOMBS)
    building, building_s, parsing, parsing_s = map(int, taken.split())
    assert (building < 256, parsing < 1024 + 64) == (True, True), taken
    assert parsing_s < (len(BOMBS) + 1) * Limits().seconds, taken  # all other files together take less than one bomb
    assert building_s < 120, taken  # most of it for quotes.md, which is cut into 10,000 passages and then refused


@pytest.mark.prove
@pytest.mark.timeout(1800)  # 5 minutes on two busy cores
def test_a_hundred_thousand_tiny_files_take_the_memory_of_a_few(embedder: Embedder, tmp_path: Path) -> None:
    documents = Folder(tmp_path, embedder)
    for number in range(100_000):
        text = f"---\nmetadata: {{number: {number}}}\n---\n# T\n\nA tiny file.\n"
        documents.write(f"{number // 1000}/{number}.md", text)
    assert sum(1 for _ in walk(documents.source)) == 100_000
    embedder.encode(["the model is loaded"])
    before, reading = peak(), [0]  # MiB after each step: the last comes before the index is made

    def report(step: Progress) -> None:
        reading[0] = peak() - before

    manifest = build(documents.source, documents.target, embedder, report)
    assert (manifest.documents, manifest.left_out) == (100_000, 0)
    assert reading[0] < 128
    assert peak() - before < 512  # FAISS learns from a sample of the vectors; at a million it takes 0.4 GB


def peak() -> int:
    """The most memory that this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
