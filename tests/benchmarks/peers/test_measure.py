"""What is asked of a gateway, and what the load generator's line becomes."""

from math import isnan

from benchmarks.peers.measure import LOW, MARK, MEASURES, PACED, Load, Seen, parse, request
from benchmarks.peers.recipe import Recipe
from benchmarks.running import Process

BUFFERED = (
    b'{"sent":75,"failed":0,"broken":0,"unfinished":0,"requests":50.0,"tokens":0,"token_rate":0.0,"latency_p50":183.0,'
)
BUFFERED += b'"latency_p99":354.9}\n'


def recipe(**fields: object) -> Recipe:
    def never(cores: object) -> Process:
        raise NotImplementedError

    return Recipe("some", never, {}, fields)


def load(sent: int = 10, failed: int = 0, broken: int = 0, unfinished: int = 0) -> Load:
    return Load(sent, failed, broken, unfinished, 5.0, 0, 0.0)


def test_what_was_not_seen_is_no_number() -> None:
    found = parse(BUFFERED)
    assert (found.sent, found.requests, found.latency_p50, found.latency_p99) == (75, 50.0, 183.0, 354.9)
    assert isnan(found.first_p50)
    assert isnan(found.way_p99)


def test_every_request_has_a_place_for_its_number_in_a_short_last_turn() -> None:
    for measure in MEASURES:
        said = request(recipe(), measure)["messages"]
        assert MARK in said[-1]["content"]
        assert len(said[-1]["content"]) < 100


def test_only_a_stream_is_paced_and_a_recipe_adds_its_fields() -> None:
    streamed, buffered = (request(recipe(gateway={"cache": "skip"}), measure) for measure in (PACED, LOW))
    assert (streamed["stream"], streamed["seed"]) == (True, 2000)
    assert not {"stream", "seed"} & buffered.keys()
    assert streamed["gateway"] == buffered["gateway"] == {"cache": "skip"}


def test_a_figure_that_is_not_what_it_seems_says_so() -> None:
    assert list(Seen(load(), 1.0, 0.0, reached=10).faults) == []
    faults = list(Seen(load(failed=1, broken=2, unfinished=3), 1.0, 0.0, reached=6).faults)
    assert faults == [
        "1 of 10 were not answered with 200",
        "2 of 10 were cut off",
        "3 of 10 did not end in time",
        "4 of 10 did not reach the backend",
    ]
