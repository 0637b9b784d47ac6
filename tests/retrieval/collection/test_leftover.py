from contextlib import suppress
from pathlib import Path

import pytest

from retrieval.collection import NoCollection, Writer, writing
from tests.retrieval.collection.made import DIMENSIONS, EMBEDDER, check, documents, loaded, passages, put

BY = {"parser": "1"}


def interrupted(path: Path, *given: str) -> None:
    with suppress(KeyboardInterrupt), writing(path, EMBEDDER, DIMENSIONS) as writer:
        for document in given:
            put(writer, passages(document))
        raise KeyboardInterrupt


def known(writer: Writer, *given: str) -> int:
    return len(writer.vectors([passage.embedded for document in given for passage in passages(document)]))


def test_what_was_interrupted_is_not_there_but_its_vectors_are(tmp_path: Path) -> None:
    interrupted(tmp_path, "a", "b")
    with pytest.raises(NoCollection):
        loaded(tmp_path)
    interrupted(tmp_path)  # got less far: what went further is kept
    interrupted(tmp_path, "c")
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        assert known(writer, "a", "b", "c", "d") == 10
        put(writer, passages("a"))
        writer.commit(BY)
    assert documents(loaded(tmp_path)) == {"a"}
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        assert known(writer, "a", "b") == 5
    assert {path.name for path in tmp_path.iterdir()} == {"CURRENT", "LOCK", loaded(tmp_path).version}


def test_vectors_of_another_embedder_are_not_taken_over(tmp_path: Path) -> None:
    interrupted(tmp_path, "a")
    with writing(tmp_path, "other@1", DIMENSIONS) as writer:
        assert known(writer, "a") == 0


@pytest.mark.parametrize("name", ["draft.json", "0.passages.db", "0.vectors.f16"])
@pytest.mark.parametrize("content", [b"", b"nonsense" * 1000, None])
def test_a_damaged_leftover_is_no_error(tmp_path: Path, name: str, content: bytes | None) -> None:
    interrupted(tmp_path, "a")
    (tmp_path / ".draft" / name).unlink()
    if content is not None:
        (tmp_path / ".draft" / name).write_bytes(content)
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        assert known(writer, "a") == 0
        put(writer, passages("a"))
        writer.commit(BY)
    check(loaded(tmp_path))
