from dataclasses import field, replace

import pytest

from serving.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0
    names: tuple[str, ...] = field(default_factory=tuple)


def test_it_is_a_value() -> None:
    point = Point(1, names=("a",))
    assert (point, hash(point)) == (Point(1, 0, ("a",)), hash(Point(1, 0, ("a",))))
    assert replace(point, y=2) == Point(1, 2, ("a",)) != point
    assert repr(point) == "Point(x=1, y=0, names=('a',))"


def test_it_has_no_other_fields() -> None:
    with pytest.raises(AttributeError):
        Point(1).z = 1  # type: ignore[attr-defined]


def test_only_the_type_checker_refuses_an_assignment() -> None:
    """It does: mypy would report an `ignore` that ignores nothing."""
    point = Point(1)
    point.x = 2  # type: ignore[misc]
    assert point == Point(2)
