"""A partition as it grows and shrinks: whatever it is made of at the time, it finds what a plain comparison finds."""

from collections.abc import Iterator
from threading import Event, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.neighbours import partition
from gateway.neighbours.flat import ROWS
from gateway.neighbours.partition import BRIEF, Partition
from tests.gateway.vectors import Vectors, clustered, vectors

D = 16
ROW = vectors(1, D)[0]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of two blocks, merged by fours up to eight."""
    monkeypatch.setattr(partition, "FLAT", 2 * ROWS)
    monkeypatch.setattr(partition, "MOST", 8 * ROWS)


def filled(rows: Vectors) -> Partition:
    part = Partition(D)
    for number, row in enumerate(rows):
        part.add(f"k{number}", row.tobytes())
    return part


def merged(part: Partition) -> Iterator[int]:
    """Makes what is due, and says of how many parts each was."""
    while merging := part.due():
        with part.watched() as removed:
            merging.make()
        part.replace(merging, removed)
        yield len(merging.sources)


def test_a_small_partition_is_searched_at_once_and_a_large_one_in_a_thread() -> None:
    rows = vectors(BRIEF + 1, D)
    assert Partition(D).brief
    assert filled(rows[:-1]).brief
    assert not filled(rows).brief


def test_an_empty_partition_has_no_neighbours() -> None:
    assert Partition(D).search(ROW, 5) == []


def test_the_nearest_come_first_and_a_key_once() -> None:
    rows = clustered(3 * ROWS, D)
    part = filled(rows)
    part.add("k0", rows[0].tobytes())
    found = part.search(rows[0], 5)
    assert dict(found[:1]) == pytest.approx({"k0": 1.0})
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    assert len({key for key, _ in found}) == 5
    assert part.size == 3 * ROWS


def test_a_vector_of_another_length_is_left_out() -> None:
    part = Partition(D)
    part.add("a", vectors(1, D + 1).tobytes())
    part.add("b", b"no vector")
    assert part.size == 0


@pytest.mark.usefixtures("small")
def test_full_blocks_become_cells_and_small_cells_larger_ones() -> None:
    rows = clustered(9 * ROWS, D)
    part = filled(rows[: 2 * ROWS - 1])
    assert part.due() is None
    steps: list[int] = []
    for number in range(2 * ROWS - 1, len(rows)):
        part.add(f"k{number}", rows[number].tobytes())
        steps += merged(part)
    assert steps == [2, 2, 2, 2, 4]
    assert part.flat == ROWS
    assert part.size == 9 * ROWS
    assert not part.brief
    for number in range(0, len(rows), 500):
        assert dict(part.search(rows[number], 1)) == pytest.approx({f"k{number}": 1.0}, abs=1e-3)


@pytest.mark.usefixtures("small")
def test_cells_of_which_much_was_removed_are_made_anew_and_vanish_at_last() -> None:
    rows = clustered(2 * ROWS, D)
    part = filled(rows)
    assert list(merged(part)) == [2]
    for number in range(ROWS):
        part.remove(f"k{number}")
    assert list(merged(part)) == [1]
    assert part.size == ROWS
    for number in range(2 * ROWS):
        part.remove(f"k{number}")
    assert list(merged(part)) == [1]
    assert part.search(rows[0], 5) == []
    assert part.brief


@pytest.mark.usefixtures("small")
def test_blocks_of_which_all_was_removed_vanish() -> None:
    part = filled(vectors(2 * ROWS, D))
    for number in range(2 * ROWS):
        part.remove(f"k{number}")
    assert list(merged(part)) == [2]
    assert part.flat == 0


@pytest.mark.usefixtures("small")
def test_what_is_removed_while_cells_are_made_is_not_in_them() -> None:
    rows = clustered(2 * ROWS, D)
    part = filled(rows)
    merging = part.due()
    assert merging is not None
    with part.watched() as removed, part.watched() as other:
        merging.make()
        part.remove("k7")
        part.remove("k8")
        part.add("k8", rows[8].tobytes())
    assert removed == other == {"k7", "k8"}
    part.replace(merging, removed)
    assert "k7" not in dict(part.search(rows[7], 5))
    assert dict(part.search(rows[8], 1)) == pytest.approx({"k8": 1.0})
    assert part.size == 2 * ROWS - 1


@pytest.mark.usefixtures("small")
def test_a_search_amid_a_change_sees_the_parts_of_before_or_after() -> None:
    """Of whatever was there all the time nothing is ever missed, while another thread adds, removes and merges."""
    rows = clustered(8 * ROWS, D)
    part, done, missed = filled(rows[:ROWS]), Event(), list[int]()

    def search() -> None:
        while not done.is_set():
            missed.extend(n for n in range(0, ROWS, 50) if part.search(rows[n], 1)[0][1] < 0.999)

    thread = Thread(target=search)
    thread.start()
    for number in range(ROWS, len(rows)):
        part.add(f"k{number}", rows[number].tobytes())
        if number % 3:
            part.remove(f"k{number - 1}" if number - 1 >= ROWS else "none")
        for _ in merged(part):
            pass
    done.set()
    thread.join()
    assert missed == []


ACTS = st.lists(st.tuples(st.sampled_from(["add", "remove", "merge"]), st.integers(0, 60)), max_size=300)


@settings(max_examples=60, deadline=None)
@given(acts=ACTS)
def test_whatever_happens_it_holds_what_a_plain_dictionary_holds(acts: list[tuple[str, int]]) -> None:
    rows, part, plain = vectors(61, D), Partition(D), dict[str, Vectors]()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in (("flat.ROWS", 8), ("partition.ROWS", 8), ("partition.FLAT", 16), ("partition.MOST", 64)):
            patched.setattr(f"gateway.neighbours.{name}", value)
        for act, number in acts:
            if act == "add":
                part.add(f"k{number}", rows[number].tobytes())
                plain[f"k{number}"] = rows[number]
            elif act == "remove":
                part.remove(f"k{number}")
                plain.pop(f"k{number}", None)
            else:
                assert all(step for step in merged(part))
        assert part.size == len(plain)
        for key, row in plain.items():
            assert dict(part.search(row, 1)) == pytest.approx({key: 1.0}, abs=2e-3)
        assert {key for key, _ in part.search(ROW, 100)} <= plain.keys()
