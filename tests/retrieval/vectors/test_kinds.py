import pytest

from retrieval.vectors import Kind, plan


@pytest.mark.parametrize(
    ("count", "dimensions", "kind"),
    [
        (0, 384, Kind.FLAT),
        (20_000, 384, Kind.FLAT),
        (20_001, 384, Kind.IVF),
        (7_500, 1024, Kind.FLAT),  # as many numbers, as much time
        (7_501, 1024, Kind.IVF),
        (10_000_000, 384, Kind.IVF),
    ],
)
def test_what_takes_too_long_to_compare_one_by_one_is_put_into_cells(count: int, dimensions: int, kind: Kind) -> None:
    assert plan(count, dimensions) is kind
