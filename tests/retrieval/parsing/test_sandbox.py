import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from retrieval.document import Document, Source
from retrieval.parsing import markdown
from retrieval.parsing.limits import Limits
from retrieval.parsing.sandbox import Parsed, Sandbox
from tests.retrieval.parsing.test_records import warc

Read = Callable[[str, bytes], list[Parsed]]
LIMITS = Limits(memory=144, seconds=4)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as sandbox:
        yield sandbox


@pytest.fixture
def read(sandbox: Sandbox, tmp_path: Path) -> Read:
    return partial(parsed, sandbox, tmp_path)


def parsed(sandbox: Sandbox, folder: Path, name: str, data: bytes) -> list[Parsed]:
    (folder / name).write_bytes(data)
    descriptor = os.open(folder / name, os.O_RDONLY)
    try:
        return list(sandbox.read(descriptor, name, lambda digest: True))
    finally:
        os.close(descriptor)


def pid(sandbox: Sandbox) -> int:
    assert sandbox._process
    return sandbox._process.pid


def memory_bomb() -> bytes:
    """Some 5 MB of JSON that make more objects than 144 MiB have room for."""
    return b'{"text": "a", "metadata": ' + b"[" + b"[[]]," * 800_000 + b"{}]}"


def test_what_comes_out_is_what_the_parser_made(read: Read) -> None:
    text = b"---\naccess: hr\nmetadata: {a: b}\n---\n# T\n\n| a |\n|---|\n| 1 |\n\n## B\n\ntext\n"
    (one,) = read("a.md", text)
    assert one.document == markdown.parse(Source("a.md", text))


def test_no_module_comes_from_the_folder_it_is_run_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("orjson.py", "yaml.py", "retrieval.py"):
        (tmp_path / name).write_text("raise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    with Sandbox(LIMITS) as sandbox:
        (one,) = parsed(sandbox, tmp_path, "a.md", b"text")
    assert one.document


def test_many_definitions_take_no_more_time_than_their_number(read: Read) -> None:
    (one,) = read("a.rs", b"fn a() {\n}\n" * 30_000)  # where each looked at all others, 14 s of processor time
    assert one.document
    assert len(one.document.sections) == 30_000


def test_a_document_that_is_not_wanted_is_not_parsed(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}\n')
    descriptor = os.open(tmp_path / "a.jsonl", os.O_RDONLY)
    seen: list[str] = []
    first = list(sandbox.read(descriptor, "a.jsonl", lambda digest: not seen.append(digest)))  # type: ignore[func-returns-value]
    second = list(sandbox.read(descriptor, "a.jsonl", lambda digest: digest == seen[1]))
    os.close(descriptor)
    assert [one.digest for one in second] == [one.digest for one in first] == seen[:2]
    assert [one.document and one.document.id for one in second] == [None, "a.jsonl/2"]


def test_of_an_archive_that_breaks_off_what_came_before_is_kept(read: Read) -> None:
    crawl = warc([(f"https://a.example/{n}", "200 OK", "text/html", os.urandom(900).hex().encode()) for n in range(3)])
    assert [one.failure for one in read("whole.warc.gz", crawl)] == ["", "", ""]
    first, half = read("half.warc.gz", crawl[: len(crawl) // 2])
    assert (first.failure, "breaks off" in half.failure) == ("", True)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("noise.warc.gz", bytes(range(256)), "cannot be read to its end (ArchiveLoadFailed)"),
        ("text.warc", b"no archive\n", "cannot be read to its end (ArchiveLoadFailed)"),
        ("empty.warc", b"", "holds no document"),
        ("empty.jsonl", b"\n \n", "holds no document"),
    ],
)
def test_a_file_that_gives_no_document_fails_itself(read: Read, name: str, data: bytes, reason: str) -> None:
    assert read(name, data) == [Parsed(name, failure=reason)]
    assert read("after.md", b"text")[0].document


def test_what_takes_too_much_memory_fails_alone_and_the_rest_is_read(read: Read, sandbox: Sandbox) -> None:
    read("before.md", b"text")
    found = read("a.jsonl", b'{"text": "first"}\n' + memory_bomb() + b'\n{"text": "last"}\n')
    assert [one.failure for one in found] == ["", LIMITS.out_of_memory, ""]
    assert [one.at for one in found] == ["line 1", "line 2", "line 3"]


def test_what_takes_too_long_fails_alone(tmp_path: Path) -> None:
    with Sandbox(Limits(seconds=1)) as short:
        (bomb,) = parsed(short, tmp_path, "deep.html", b"<table><tr><td>" * 20_000)
        (after,) = parsed(short, tmp_path, "after.md", b"text")
    assert bomb.failure == "takes more than 1 s of processor time to read: split it"
    assert after.document


def test_a_process_that_is_killed_is_started_anew(read: Read, sandbox: Sandbox) -> None:
    read("a.md", b"text")
    os.kill(pid(sandbox), 9)
    (one,) = read("b.md", b"other text")
    assert isinstance(one.document, Document)


def test_a_document_that_ends_the_process_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("text")
    descriptor = os.open(tmp_path / "a.md", os.O_RDONLY)
    with Sandbox(LIMITS) as mortal:

        def die(digest: str) -> bool:
            os.kill(pid(mortal), 9)
            return True

        (one,) = mortal.read(descriptor, "a.md", die)
    os.close(descriptor)
    assert one.failure.startswith(f"ended its parser (SIGKILL): it is broken or needs more than {LIMITS.memory} MiB")


def test_the_process_has_the_limits_and_writes_no_file(read: Read, sandbox: Sandbox) -> None:
    read("a.md", b"text")
    assert resource.prlimit(pid(sandbox), resource.RLIMIT_AS) == (LIMITS.memory * 2**20, LIMITS.memory * 2**20)
    assert resource.prlimit(pid(sandbox), resource.RLIMIT_FSIZE) == (0, 0)
    assert resource.prlimit(pid(sandbox), resource.RLIMIT_CPU)[0] < 60


def test_a_process_that_does_not_start_is_an_error_and_no_failure_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    (tmp_path / "a.md").write_text("text")
    descriptor = os.open(tmp_path / "a.md", os.O_RDONLY)
    with Sandbox() as broken, pytest.raises(OSError, match="does not start"):
        list(broken.read(descriptor, "a.md", lambda digest: True))
    os.close(descriptor)


def test_it_ends_when_its_parent_does(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("text")
    script = (
        "import os, sys; from retrieval.parsing.sandbox import Sandbox; sandbox = Sandbox();"
        "list(sandbox.read(os.open(sys.argv[1], os.O_RDONLY), 'a.md', lambda digest: True));"
        "print(sandbox._process.pid, flush=True); os._exit(1)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.md")], capture_output=True, text=True)
    child = Path(f"/proc/{int(done.stdout)}")
    for _ in range(600):
        if not child.exists() or "Z" in (child / "stat").read_text():
            return
        time.sleep(0.1)
    raise AssertionError("the process outlives its parent")
