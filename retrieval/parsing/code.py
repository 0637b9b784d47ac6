"""Source code: a section for each definition, below the names of those around it.

Python is read with `ast`. In other languages a rule of thumb reads the layout: a line that declares something by one of
the usual words (`class`, `fn`, `func`, ...), or that opens a body after a name and parameters, begins a definition; it
lies within those that began above it with less indentation; and it ends where, after a blank line, a line with no more
indentation begins something else. A comment right above a definition belongs to it.

Invariant: the text is the source, line ends apart, and each section of it is code.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, pairwise
from typing import Final

from retrieval.document import Block, Document, Facts, Mark, Source, outline
from retrieval.parsing.text import decoded

LIBRARIES: Final = ()
SUFFIXES: Final = (
    *(".py", ".pyi", ".js", ".mjs", ".jsx", ".ts", ".tsx", ".java", ".kt", ".scala", ".cs", ".go", ".rs", ".c", ".h"),
    *(".cc", ".cpp", ".hpp", ".rb", ".php", ".swift", ".lua", ".sh", ".sql"),
)
LOOKED_AT: Final = 400  # characters of a line: what declares something stands at its beginning
CONTAINERS: Final = "class|struct|interface|enum|trait|impl|namespace|module|object|protocol|extension"
OTHERS: Final = "def|func|fun|fn|function|sub|procedure|type|table|view"
# export async function name; pub fn name; func (r *T) name; impl<T> Name for U; create table name
DECLARED: Final = re.compile(
    rf"(?:[\w@]+[ \t]+){{0,5}}(?i:(?P<container>{CONTAINERS})|{OTHERS})\b(?:<[^<>]*>)?[ \t]*\*?[ \t]*"
    r"(?:\([^()]*\)[ \t]*)?(?P<name>[A-Za-z_$][\w$]*(?:[.:]+[\w$]+)*)"
)
# int main(...), private static List<X> name(...), name(), const name = (...) =>: where a body opens
OPENED: Final = re.compile(
    r"(?:[\w<>\[\],.*&:~@?]+[ \t]+){0,6}[*&]*(?P<name>[A-Za-z_$][\w$:~]*)[ \t]*"
    r"(?:=[ \t]*(?:async[ \t]*)?)?\([^;]*\)[^;()]*"
)
CONTROL: Final = re.compile(r"}|(?:if|else|elif|for|foreach|while|switch|catch|try|do|return|with|match|when|case)\b")
COMMENT: Final = ("//", "/*", "*", "#", "--", "@")
CLOSING: Final = re.compile(r"[\])};,]+$|end\b")


def parse(source: Source) -> Document:
    text = decoded(source)
    marks = list(_marks(source.id, text))
    edges = sorted({0, *(mark.start for mark in marks), len(text)})
    blocks = [Block("code", start, end) for start, end in pairwise(edges)]
    return outline(source.id, text, marks, Facts(source.id), blocks)


def _marks(source_id: str, text: str) -> Iterator[Mark]:
    """Headings of no length, from level 2 on: the file is the title. An empty one ends a definition."""
    if source_id.endswith((".py", ".pyi")):
        with suppress(SyntaxError, ValueError, RecursionError):  # Python 2, a template, a fragment: go by the layout
            return _marks_of_tree(ast.parse(text), text)
    return _marks_of_layout(text)


def _marks_of_tree(tree: ast.Module, text: str) -> Iterator[Mark]:
    lines = text.split("\n")
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    for line, level, name in _definitions(tree, lines, 2):
        yield Mark(level, name, starts[line], starts[line])


def _definitions(node: ast.AST, lines: Sequence[str], level: int) -> Iterator[tuple[int, int, str]]:
    """Line (from 0), level and name of each definition, and of what follows it with no name; functions stay whole."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.end_lineno:
            first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)]) - 1
            while first and lines[first - 1].lstrip().startswith("#"):
                first -= 1
            yield first, level, child.name
            if isinstance(child, ast.ClassDef):
                yield from _definitions(child, lines, level + 1)
            if child.end_lineno < len(lines):
                yield child.end_lineno, level, ""


def _marks_of_layout(text: str) -> Iterator[Mark]:
    around: list[tuple[int, bool]] = []  # indentation of each open definition, and whether others may lie within
    at, gap, comment = 0, False, -1
    lines = text.split("\n")
    for line, after in pairwise([*lines, ""]):
        words, indent = line.strip(), len(line) - len(line.lstrip())
        start, at = at, at + len(line) + 1
        if not words:
            gap, comment = True, -1
            continue
        if words.startswith(COMMENT):
            comment = start if comment < 0 else comment
            continue
        found = _declaration(words, after)
        inside = [one for one in around if one[0] < indent]
        if found and all(container for _, container in inside):
            around = [*inside, (indent, bool(found.groupdict().get("container")))]
            yield Mark(1 + len(around), found["name"], *2 * [start if comment < 0 else comment])
        elif gap and len(inside) < len(around) and not CLOSING.match(words):
            around = inside
            yield Mark(2 + len(around), "", *2 * [start if comment < 0 else comment])
        gap, comment = False, -1


def _declaration(words: str, after: str) -> re.Match[str] | None:
    """What a line declares, if it does; `after` is the next one, on which C likes to open a body."""
    if CONTROL.match(words):
        return None
    words = words[:LOOKED_AT]
    opens = words.endswith("{") or after.strip() == "{"
    return DECLARED.match(words) or (OPENED.fullmatch(words) if opens else None)
