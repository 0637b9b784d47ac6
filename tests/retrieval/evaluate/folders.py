"""BEIR folders for tests."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CORPUS = {"boats": "Boats float because they displace water.", "cats": "A cat purrs when it is content."}
QUERIES = {"q1": "Why do boats float?", "q2": "When do cats purr?", "q3": "Who won the cup in 1966?"}
GRADES = {("q1", "boats"): 1, ("q2", "cats"): 2, ("q2", "boats"): 0}


def written(
    folder: Path,
    corpus: Mapping[str, str] = CORPUS,
    queries: Mapping[str, Any] = QUERIES,
    grades: Mapping[tuple[str, str], int] = GRADES,
) -> Path:
    """Write a folder as BEIR has it; a query may be a whole row."""
    (folder / "qrels").mkdir(parents=True)
    texts = [{"_id": id, "title": id.title(), "text": text} for id, text in corpus.items()]
    rows = [{"_id": id} | ({"text": of} if isinstance(of, str) else of) for id, of in queries.items()]
    (folder / "corpus.jsonl").write_text("".join(f"{json.dumps(text)}\n" for text in texts))
    (folder / "queries.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    lines = [f"{query}\t{document}\t{grade}\n" for (query, document), grade in grades.items()]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    return folder
