"""A BEIR folder (Thakur et al., NeurIPS 2021): corpus.jsonl, queries.jsonl and qrels/test.tsv.

Knows files, and nothing of what is measured. Invariants: whatever is wrong with a file is BadFolder, with its line;
documents and questions have ids of their own and keep the order of their files.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels/test.tsv"
COLUMNS: Final = ["query-id", "corpus-id", "score"]


class BadFolder(Exception):
    """Raised when a folder is not what BEIR describes; the text says which file and line, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Text:
    """A document of the corpus."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A query. `history` are the user's earlier turns, oldest first, which BEIR has not: an optional list of strings
    in a query's line, or in its `metadata`."""

    id: str
    text: str
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """`questions` are those with a relevant document, `grades` its grades above 0; `unanswerable` those that have none,
    for test.tsv gives only zeros, or no file in qrels names them. `missing` counts the relevant documents that are not
    in the corpus: nothing can find them, and they count as missed."""

    corpus: tuple[Text, ...]
    questions: tuple[Question, ...]
    unanswerable: tuple[Question, ...]
    grades: Mapping[str, Mapping[str, int]]
    missing: int = 0

    @property
    def digest(self) -> str:
        """The SHA-256 of the corpus, however its file is written."""
        content = hashlib.sha256()
        for text in self.corpus:
            content.update(json.dumps([text.id, text.title, text.text]).encode())
        return content.hexdigest()


Record = TypeVar("Record", Text, Question)


def read(folder: Path) -> Judged:
    """Everything in a folder. Raises BadFolder."""
    corpus, queries = _records(folder / CORPUS, _text), _records(folder / QUERIES, _question)
    grades = _grades(folder / QRELS)
    relevant = {query: {document: grade for document, grade in of.items() if grade > 0} for query, of in grades.items()}
    wanted = [document for of in relevant.values() for document in of]
    missing = sum(document not in corpus for document in wanted)
    questions = tuple(question for id, question in queries.items() if relevant.get(id))
    if not questions or missing == len(wanted):
        raise BadFolder(
            f"{folder / QRELS} does not fit the rest: of its {len(relevant)} queries {len(questions)} are in {QUERIES} "
            f"and have a relevant document, of {len(wanted)} such documents {len(wanted) - missing} are in {CORPUS}"
        )
    elsewhere = {id for path in (folder / QRELS).parent.glob("*.tsv") for id in _grades(path)} - set(grades)
    unanswerable = tuple(q for id, q in queries.items() if not relevant.get(id) and id not in elsewhere)
    return Judged(tuple(corpus.values()), questions, unanswerable, relevant, missing)


def _records(path: Path, decoded: Callable[[Mapping[str, Any]], Record]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            record = decoded(_object(line))
        except ValueError as error:
            raise BadFolder(f"{path}:{number}: {error}") from error
        if record.id in found:
            raise BadFolder(f"{path}:{number}: the _id {record.id!r} was given to an earlier line")
        found[record.id] = record
    if not found:
        raise BadFolder(f"{path} is empty")
    return found


def _object(line: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("not JSON that is used: too deeply nested") from error
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    return row


def _text(row: Mapping[str, Any]) -> Text:
    return Text(_string(row, "_id"), _string(row, "title", ""), _string(row, "text"))


def _question(row: Mapping[str, Any]) -> Question:
    metadata = row.get("metadata")
    history = row.get("history") or (metadata.get("history") if isinstance(metadata, dict) else None) or []
    if not isinstance(history, list) or not all(isinstance(turn, str) for turn in history):
        raise ValueError("history is no list of strings")
    return Question(_string(row, "_id"), _string(row, "text"), tuple(history))


def _string(row: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = row.get(key, default)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise ValueError(f'it has no "{key}" that is a string')
    value.encode()  # raises for half a surrogate pair, which JSON can hold and no index
    return value


def _grades(path: Path) -> dict[str, dict[str, int]]:
    """The grades of each query's documents; the line of column names may be missing."""
    found: dict[str, dict[str, int]] = {}
    for number, line in enumerate(_lines(path), 1):
        row = line.strip().split("\t")
        if row in ([""], COLUMNS):
            continue
        try:
            query, document, grade = row
            found.setdefault(query, {})[document] = int(grade)
        except ValueError as error:
            raise BadFolder(
                f"{path}:{number}: not a query's id, a document's and a whole number between tabs"
            ) from error
    return found


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            yield from file
    except OSError as error:
        raise BadFolder(
            f"{path} cannot be read ({error.strerror}): a BEIR folder has {CORPUS}, {QUERIES}, {QRELS}"
        ) from error
    except UnicodeDecodeError as error:
        raise BadFolder(f"{path} is not UTF-8 near its byte {error.start}") from error
