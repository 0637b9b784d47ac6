"""Job: collect real English sentences, and read back the collection that is committed beside this file.

Does not know what the sentences are used for.
Invariants: a section is (title, heading, sentences), its sentences in their original order; every sentence starts
with a capital, ends with a full stop and has MIN_WORDS to MAX_WORDS words; no sentence occurs twice in the
collection.

Sources: Rust's own books and guides (MIT OR Apache-2.0) and CPython's language reference and docstrings (PSF
licence).
"""

import ast
import gzip
import json
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parent / "corpus.json.gz"
BOOKS = (
    "book",
    "cargo",
    "reference",
    "nomicon",
    "rustc",
    "rustdoc",
    "embedded-book",
    "edition-guide",
    "rust-by-example",
    "clippy",
    "style-guide",
    "unstable-book",
)
MIN_WORDS, MAX_WORDS = (
    6,
    32,
)  # the passages the model is shown at work have 8 to 25 words a sentence; a margin on each side
MAX_SYMBOLS = 0.06  # share of characters that are neither letters, spaces nor plain punctuation; above it, it is code


class Section(NamedTuple):
    title: str
    heading: str
    sentences: tuple[str, ...]


class _Page(HTMLParser):
    """One page of a book as (heading, paragraph) pairs; whatever is in <pre>, <nav> or <table> is left out."""

    SKIP = frozenset({"pre", "nav", "table", "script", "style", "head", "button"})
    HEADINGS = frozenset({"h1", "h2", "h3", "h4"})

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[tuple[str, str]] = []
        self.title = self.heading = self._text = ""
        self._skipping = 1  # until <main> opens

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "main":
            self._skipping = 0
        elif tag in self.SKIP:
            self._skipping += 1
        elif tag in self.HEADINGS or tag in ("p", "li"):
            self._text = ""

    def handle_endtag(self, tag: str) -> None:
        text = " ".join(self._text.split())
        if tag in self.SKIP:
            self._skipping -= 1
        elif tag in self.HEADINGS:
            self.heading = text
            self.title = self.title or text
        elif tag in ("p", "li") and text:
            self.pairs.append((self.heading, text))
        if tag in self.HEADINGS or tag in ("p", "li"):
            self._text = ""

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._text += data


def sentences_of(text: str) -> Iterator[str]:
    """The sentences of a paragraph that read as plain prose."""
    for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z\"'(])", text.replace("\u2019", "'").replace("``", "")):
        if _is_prose(sentence):
            yield sentence


def _is_prose(sentence: str) -> bool:
    words = sentence.split()
    symbols = len(re.findall(r"[^A-Za-z ,.;'-]", sentence))
    return (
        MIN_WORDS <= len(words) <= MAX_WORDS
        and sentence[0].isupper()
        and sentence[0].isascii()
        and sentence.endswith(".")
        and "..." not in sentence
        and sentence.isascii()
        and symbols <= MAX_SYMBOLS * len(sentence)
        and max(map(len, words)) < 24
    )


def rust_sections(docs: Path) -> Iterator[Section]:
    """Sections of the books under `docs` (the `share/doc/rust/html` of a Rust toolchain)."""
    for book in BOOKS:
        for path in sorted((docs / book).rglob("*.html")):
            if path.name not in ("print.html", "toc.html") and path.relative_to(docs / book).parts[0] not in (
                "first-edition",
            ):
                page = _Page()
                page.feed(path.read_text(encoding="utf-8", errors="replace"))
                yield from _grouped(_clean_heading(page.title), page.pairs)


def python_sections(stdlib: Path) -> Iterator[Section]:
    """Sections of the language reference (pydoc_data/topics.py) and of the docstrings under `stdlib`."""
    topics = ast.parse((stdlib / "pydoc_data" / "topics.py").read_text(encoding="utf-8"))
    for node in ast.walk(topics):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 200:
            first, _, rest = node.value.partition("\n")
            yield from _grouped(
                _clean_heading(first), [(_clean_heading(first), _joined(part)) for part in rest.split("\n\n")]
            )
    for path in sorted(stdlib.rglob("*.py")):
        if not {"site-packages", "test", "tests", "idlelib", "pydoc_data", "lib2to3", "turtledemo"} & set(path.parts):
            yield from _docstrings(path)


def _docstrings(path: Path) -> Iterator[Section]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
    except SyntaxError:  # the library of a newer Python than the one that runs this
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (doc := ast.get_docstring(node)):
            name = path.stem if isinstance(node, ast.Module) else node.name
            yield from _grouped(path.stem.strip("_"), [(name.strip("_"), _joined(part)) for part in doc.split("\n\n")])


def _joined(paragraph: str) -> str:
    return "" if ">>>" in paragraph else re.sub(r"\*|\"{2}|\[\d+\]", "", " ".join(paragraph.split()))


def _clean_heading(heading: str) -> str:
    return re.sub(r"[^A-Za-z0-9 ,'-]+", " ", heading).strip()[:60]


def _grouped(title: str, pairs: Iterable[tuple[str, str]]) -> Iterator[Section]:
    found: dict[str, list[str]] = {}
    for heading, text in pairs:
        found.setdefault(_clean_heading(heading), []).extend(sentences_of(text))
    for heading, sentences in found.items():
        if sentences:
            yield Section(title, heading, tuple(sentences))


def without_repeats(sections: Iterable[Section]) -> Iterator[Section]:
    """The same sections with every sentence kept only where it occurs first."""
    seen: set[str] = set()
    for section in sections:
        fresh = tuple(s for s in dict.fromkeys(section.sentences) if s not in seen)
        seen.update(fresh)
        if fresh:
            yield section._replace(sentences=fresh)


def write(sections: Iterable[Section], path: Path = FILE) -> None:
    text = json.dumps([[s.title, s.heading, list(s.sentences)] for s in sections], separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def read(path: Path = FILE) -> list[Section]:
    return [
        Section(title, heading, tuple(sentences))
        for title, heading, sentences in json.loads(gzip.decompress(path.read_bytes()))
    ]
