"""What cannot be written: it is refused, and what was there stays."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retrieval.collection import writing
from retrieval.passage import Passage
from retrieval.query import Vectors
from tests.retrieval.collection.made import (
    DIMENSIONS,
    EMBEDDER,
    check,
    documents,
    loaded,
    passages,
    put,
    vectors,
    written,
)

ROOT = Path(__file__).parents[3]
BY = {"parser": "1"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((5, DIMENSIONS), np.float32), "length 1"),
        (np.zeros((5, DIMENSIONS), np.float32), "length 1"),
        (np.full((5, DIMENSIONS), np.nan, np.float32), "length 1"),
        (vectors(passages("a", 4)), "vectors"),
        (np.eye(5, DIMENSIONS + 1, dtype=np.float32), "vectors"),
    ],
)
def test_vectors_that_cannot_be_compared_are_refused(tmp_path: Path, given: Vectors, message: str) -> None:
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        with pytest.raises(ValueError, match=message):
            writer.add(passages("a"), given)
        put(writer, passages("b"))
        writer.commit(BY)
    assert documents(loaded(tmp_path)) == {"b"}


def test_a_batch_with_a_text_that_is_no_unicode_is_refused_as_a_whole(tmp_path: Path) -> None:
    bad = Passage("x#0", "x", "X", "X", "\ud800", 0, 1, access=("hr",))
    worse = Passage("x#\udfff", "x", "X", "X", "text", 0, 1, access=("hr",))
    with writing(tmp_path, EMBEDDER, DIMENSIONS) as writer:
        for one in (bad, worse):
            with pytest.raises(ValueError, match="surrogates"):
                writer.add([*passages("a"), one], vectors(passages("z", 6)))
        put(writer, passages("a"))
        put(writer, passages("x", access=("hr",)))
        writer.commit(BY)
    check(loaded(tmp_path))


LIMITED = """
import resource
import sys
from pathlib import Path
from retrieval.collection import writing
from tests.retrieval.collection.made import DIMENSIONS, EMBEDDER, passages, put

try:
    with writing(Path(sys.argv[1]), EMBEDDER, DIMENSIONS) as writer:
        put(writer, passages("new", int(sys.argv[2])))
        limit = int(sys.argv[3])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        put(writer, passages("more", int(sys.argv[2])))
        writer.commit({})
except OSError as error:
    print("OSError", error)
"""


@pytest.mark.parametrize(("count", "limit"), [(2000, 100_000), (10, 120_000), (10, 1000), (10, 0)])
def test_a_disk_that_is_full_is_an_os_error_and_what_was_there_stays(tmp_path: Path, count: int, limit: int) -> None:
    """Files may not grow beyond a limit, which fails at another place for each."""
    version = written(tmp_path, ["a"]).version
    command = [sys.executable, "-c", LIMITED, str(tmp_path), str(count), str(limit)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    if limit < 120_000:
        assert done.stdout.startswith("OSError"), done.stderr
        assert loaded(tmp_path).version == version
    written(tmp_path, ["b"])
    check(loaded(tmp_path))


UNREAD = """
import resource
import sys
from pathlib import Path
from retrieval.collection import writing
from tests.retrieval.collection.made import DIMENSIONS, EMBEDDER, passages, put

_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))
try:
    with writing(Path(sys.argv[1]), EMBEDDER, DIMENSIONS) as writer:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        put(writer, passages("new", 1))
        writer.commit({})
except OSError as error:
    print("OSError", error)
"""


def test_no_room_to_read_the_version_before_is_not_taken_for_damage(tmp_path: Path) -> None:
    """Or all of it would be built anew, from whatever is still there. Some of its files are larger than the limit, and
    nothing of a new draft is."""
    version = written(tmp_path, ["a"], count=1000).version
    done = subprocess.run(
        [sys.executable, "-c", UNREAD, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.startswith("OSError"), done.stderr
    assert loaded(tmp_path).version == version
