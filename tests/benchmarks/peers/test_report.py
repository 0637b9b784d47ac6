"""The tables: which figure stands where, and what is left out."""

from dataclasses import replace

from benchmarks.peers.measure import CLOSED, LOW, LOW_STREAMS, PACED, Load, Seen
from benchmarks.peers.report import DIRECT, Report

LOAD = Load(sent=100, failed=0, broken=0, unfinished=0, requests=50.0, tokens=0, token_rate=0.0)


def seen(cpu: float = 0.0, **figures: float) -> Seen:
    return Seen(replace(LOAD, **figures), cpu, others=0.25, reached=LOAD.sent)  # type: ignore[arg-type]


def line(report: Report, title: str, gateway: str) -> dict[str, str]:
    """One gateway's cells by column."""
    table = next(part for part in str(report).split("\n\n") if part.startswith(f"| {title} |"))
    head, _, *rows = (row.strip("| ").split(" | ") for row in table.splitlines())
    found = next((row for row in rows if row[0] == gateway), [])
    return dict(zip(head[1:], found[1:], strict=bool(found)))


def test_a_request_and_a_token_cost_their_share_of_the_cpu() -> None:
    report, base = Report(), seen()
    report.saw("some", CLOSED[1], seen(cpu=0.02), base)
    report.saw("some", PACED, seen(cpu=0.1, tokens=6400, token_rate=3200.0, first_p50=7500.0), base)
    requests, streams = line(report, "requests", "some"), line(report, "64 streams", "some")
    assert (requests["c16 requests/s"], requests["c16 CPU us"], requests["c16 others %"]) == (
        "50",
        "200",
        "25",
    )
    assert (streams["tokens/s"], streams["CPU us/token"]) == ("3200", "15.6")
    assert streams["first token p50 ms"] == "7.5"


def test_a_low_load_adds_to_direct_of_the_same_round() -> None:
    report = Report()
    for base, own in ((100.0, 600.0), (200.0, 400.0)):
        direct = seen(latency_p50=base, latency_p99=base)
        report.saw(DIRECT, LOW, direct, direct)
        report.saw("some", LOW, seen(latency_p50=own, latency_p99=own), direct)
    assert line(report, "low load", "some")["+p50 us"] == "200/350/500"
    assert line(report, "low load", DIRECT)["+p50 us"] == "100/150/200"


def test_a_round_that_saw_nothing_is_left_out() -> None:
    report, base = Report(), seen(first_p50=5000.0)
    report.saw("some", LOW_STREAMS, seen(first_p50=5600.0), base)
    report.saw("some", LOW_STREAMS, seen(), base)
    found = line(report, "low load", "some")
    assert found["first token +p50 us"] == "600"
    assert found["each token +p50 us"] == "-"


def test_direct_comes_first_and_has_no_costs() -> None:
    report = Report()
    report.add("some", "start s", 1.0)
    report.saw("some", CLOSED[0], seen(cpu=0.01), seen())
    report.saw(DIRECT, CLOSED[0], seen(cpu=0.01), seen())
    assert str(report).index(f"| {DIRECT} |") < str(report).index("| some |")
    assert line(report, "requests", DIRECT)["c1 CPU us"] == "-"
    assert line(report, "costs", DIRECT) == {}
    assert line(report, "costs", "some")["start s"] == "1"


def test_faults_stand_below_the_tables() -> None:
    report = Report()
    report.fault("some", "did not start")
    report.saw("other", CLOSED[0], seen(failed=3), seen())
    assert str(report).splitlines()[-3::2] == ["some: did not start", "other: c1: 3 of 100 were not answered with 200"]
