"""beir: what a folder holds, and what is said of a bad one."""

from pathlib import Path

import pytest

from retrieval.evaluate import BadFolder, Question, Text, read
from tests.retrieval.evaluate.folders import written


def test_a_folder_is_read(tmp_path: Path) -> None:
    judged = read(written(tmp_path / "set"))
    assert judged.corpus[1] == Text("cats", "Cats", "A cat purrs when it is content.")
    assert judged.questions == (Question("q1", "Why do boats float?"), Question("q2", "When do cats purr?"))
    assert judged.grades == {"q1": {"boats": 1}, "q2": {"cats": 2}}
    assert [question.id for question in judged.unanswerable] == ["q3"]
    assert judged.missing == 0


def test_the_digest_is_that_of_the_corpus_alone(tmp_path: Path) -> None:
    one, other = read(written(tmp_path / "a")), read(written(tmp_path / "b", queries={"q1": "Why?"}))
    assert one.digest == other.digest != read(written(tmp_path / "c", corpus={"boats": "Boats sink."})).digest


def test_a_query_may_carry_its_conversation(tmp_path: Path) -> None:
    queries = {"q1": {"text": "And it?", "history": ["a", "b"]}, "q2": {"text": "?", "metadata": {"history": ["c"]}}}
    judged = read(written(tmp_path / "set", queries=queries))
    assert [question.history for question in judged.questions] == [("a", "b"), ("c",)]


def test_queries_of_other_splits_are_not_taken_for_unanswerable(tmp_path: Path) -> None:
    folder = written(tmp_path / "set")
    (folder / "qrels" / "train.tsv").write_text("q3\tcats\t1\n")
    assert read(folder).unanswerable == ()


def test_zeros_say_that_nothing_is_relevant(tmp_path: Path) -> None:
    judged = read(written(tmp_path / "set", grades={("q1", "boats"): 1, ("q2", "cats"): 0}))
    assert [question.id for question in judged.questions] == ["q1"]
    assert [question.id for question in judged.unanswerable] == ["q2", "q3"]


def test_relevant_documents_that_are_not_there_are_counted(tmp_path: Path) -> None:
    judged = read(written(tmp_path / "set", grades={("q1", "boats"): 1, ("q1", "ships"): 1}))
    assert (judged.missing, judged.grades["q1"]) == (1, {"boats": 1, "ships": 1})


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("corpus.jsonl", '{"_id": "a", "text": "x"}\n{"_id": ', "corpus.jsonl:2: not JSON"),
        ("corpus.jsonl", '{"_id": "a"}', 'corpus.jsonl:1: it has no "text"'),
        ("corpus.jsonl", '{"_id": 7, "text": "x"}', 'corpus.jsonl:1: it has no "_id" that is a string'),
        ("corpus.jsonl", "[1]", "corpus.jsonl:1: not a JSON object"),
        ("corpus.jsonl", "[" * 100_000, "corpus.jsonl:1: not"),
        ("corpus.jsonl", '{"_id": "a", "text": ""}\n\n{"_id": "a", "text": ""}', "corpus.jsonl:3: the _id 'a'"),
        ("corpus.jsonl", '{"_id": "a", "text": "\\ud800"}', "corpus.jsonl:1: 'utf-8' codec can't encode"),
        ("corpus.jsonl", "\n", "corpus.jsonl is empty"),
        ("queries.jsonl", '{"_id": "q", "text": "x", "history": "y"}', "queries.jsonl:1: history is no list"),
        ("queries.jsonl", '{"_id": "q", "metadata": {"history": [1]}}', "queries.jsonl:1: history is no list"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1 boats 1", "test.tsv:2: not a query's id"),
        ("qrels/test.tsv", "q1\tboats\thigh", "test.tsv:1: not a query's id"),
        ("qrels/test.tsv", "q1\tbo\rats\t1\tx", "test.tsv:1: not a query's id"),
        ("qrels/test.tsv", "q9\tboats\t1", "does not fit the rest: of its 1 queries 0 are in"),
        ("qrels/test.tsv", "q1\tships\t1", "of 1 such documents 0 are in corpus.jsonl"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, name: str, text: str, problem: str) -> None:
    folder = written(tmp_path / "set")
    (folder / name).write_text(text)
    with pytest.raises(BadFolder) as raised:
        read(folder)
    assert problem in str(raised.value)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path / "set")
    (folder / name).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadFolder, match=f"{name} is not UTF-8"):
        read(folder)
    (folder / name).unlink()
    with pytest.raises(BadFolder, match=f"{name} cannot be read"):
        read(folder)
