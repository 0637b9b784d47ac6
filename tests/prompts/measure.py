"""What rendering and loading cost, printed and not asserted: `python tests/prompts/measure.py`.

On one core of a shared 2-core machine (Python 3.11): `answer` with four passages renders in 0.04 ms; a folder of 200
templates with 1,000 commits loads in 1.3 s, of which its history takes 0.3 s; an old version compiles in 4 ms.
"""

import tempfile
import timeit
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import pygit2

from prompts.library import Library

SHIPPED = Path(__file__).parents[2] / "prompts"


@dataclass(frozen=True)
class Passage:
    """What a template sees of a passage."""

    number: int
    heading: str
    text: str


class Passages(tuple[Passage, ...]):
    fence = "5d2c90af"


def rendering() -> None:
    template = Library.load(SHIPPED).get("answer")
    text = "A sentence of eight words stands here. " * 20
    passages = Passages(Passage(n, "Page > Heading", text) for n in range(1, 5))
    took = min(timeit.repeat(lambda: template.render({"question": "What is it?"}, passages), number=1000, repeat=5))
    print(f"render `answer`, 4 passages: {took:.3f} ms")


def loading(place: Path, templates: int = 200, commits: int = 1000) -> None:
    repository = pygit2.init_repository(place)
    source = (SHIPPED / "templates/answer.md.j2").read_text()
    folder = place / "templates"
    folder.mkdir()
    author = pygit2.Signature("A. Author", "author@example.com", 1_700_000_000, 0)
    for number in range(commits):
        name = f"{number % templates}.md.j2"
        (folder / name).write_text(source + f"{{# {number} #}}\n")
        repository.index.add(f"templates/{name}")
        parents = [] if repository.head_is_unborn else [repository.head.target]
        repository.create_commit("HEAD", author, author, "message", repository.index.write_tree(), parents)
    began = perf_counter()
    library = Library.load(place)
    print(f"load {templates} templates, {commits} commits: {perf_counter() - began:.2f} s")
    oldest = library.versions("7")[-1]
    began = perf_counter()
    library.get("7", oldest.digest)
    print(f"compile an old version: {(perf_counter() - began) * 1000:.1f} ms")


if __name__ == "__main__":
    rendering()
    with tempfile.TemporaryDirectory() as scratch:
        loading(Path(scratch))
