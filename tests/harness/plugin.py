"""The auditor as a fixture: whatever a test gives it is audited when the test is over.

Import it where it is wanted: `from tests.harness.plugin import audited` in a conftest.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from tests.gateway.waiting import waited
from tests.harness.audit import Evidence, assert_clean, quiet
from tests.harness.books import Books

Audited = Callable[[Callable[[], Books], Callable[[], Evidence]], None]


@pytest.fixture
def audited() -> Iterator[Audited]:
    """Takes what reads the books and what gathers the evidence; both are called once all is quiet."""
    watched: list[tuple[Callable[[], Books], Callable[[], Evidence]]] = []
    yield lambda books, evidence: watched.append((books, evidence))
    for books, evidence in watched:
        with suppress(AssertionError):  # the audit says what it waited for
            waited(partial(_quiet, books))
        assert_clean(books(), evidence())


def _quiet(books: Callable[[], Books]) -> bool:
    return quiet(books())
