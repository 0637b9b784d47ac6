"""Times as people write them."""

from datetime import UTC, datetime

import pytest

from gateway.cli.times import end_of, seconds_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("45s", 45), ("90m", 5400), ("24h", 86_400), ("30d", 30 * 86_400)]
)
def test_a_span(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1.5h", "1w", "1 h", "1h30m", "1000000d", "١h"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="write 24h or 30d"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("text", "zone", "end"),
    [
        ("30d", "UTC", "2026-12-22T12:00:00+00:00"),
        ("2026-12-31", "UTC", "2027-01-01T00:00:00+00:00"),
        ("2026-12-31", "Europe/Berlin", "2027-01-01T00:00:00+01:00"),
        ("2026-11-22", "UTC", "2026-11-23T00:00:00+00:00"),
        ("2026-12-31T18:00:00+02:00", "UTC", "2026-12-31T18:00:00+02:00"),
        ("2026-12-31T18:00:00Z", "Europe/Berlin", "2026-12-31T18:00:00+00:00"),
        ("2026-12-31T18:00", "Europe/Berlin", "2026-12-31T18:00:00+01:00"),
    ],
)
def test_an_end(text: str, zone: str, end: str) -> None:
    assert end_of(text, NOW, zone) == datetime.fromisoformat(end).timestamp()


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01", "99999-01-01", "30", "2026-12-31T25:00", "0001-01-01T00:00"]
)
def test_what_is_no_end(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no end|has passed"):
        end_of(text, NOW, "Europe/Berlin")


@pytest.mark.parametrize("text", ["0d", "2026-11-21", "2026-11-22T12:00:00Z", "1999-01-01"])
def test_what_has_passed_is_no_end(text: str) -> None:
    with pytest.raises(ValueError, match="has passed already"):
        end_of(text, NOW, "UTC")
