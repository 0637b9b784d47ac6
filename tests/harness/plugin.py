"""The auditor as a fixture: whatever a test gives it is audited when the test is over.

Import it where it is wanted: `from tests.harness.plugin import audited` in a conftest.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.gateway.waiting import waited
from tests.harness.audit import Evidence, assert_clean
from tests.harness.books import Books

Audited = Callable[[Callable[[], Books], Callable[[], Evidence]], None]


@pytest.fixture
def audited() -> Iterator[Audited]:
    """Takes what reads the books and what gathers the evidence; both are called once all holds are settled."""
    watched: list[tuple[Callable[[], Books], Callable[[], Evidence]]] = []
    yield lambda books, evidence: watched.append((books, evidence))
    for books, evidence in watched:
        waited(lambda books=books: not books().open)  # type: ignore[misc]
        assert_clean(books(), evidence())
