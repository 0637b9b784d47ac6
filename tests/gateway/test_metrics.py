"""The metrics of finished requests, as a scrape reads them, and the record that they are made of."""

import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import ended
from gateway.state import COLUMNS
from tests.fakes.backend import Script, said
from tests.gateway import counting
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call, caller, template
from tests.gateway.conftest import Make

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(gateway: Assembled) -> Samples:
    return samples(gateway.runtime.metrics.render().decode())


def samples(text: str) -> Samples:
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def test_a_request_is_counted_once_in_every_metric(make: Make) -> None:
    gateway = make()
    gateway.ask(who=caller("acme"))
    gateway.ask(who=caller("acme"))
    gateway.ask(who=caller("acme"), model="nobody")
    found = scraped(gateway)

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    small = {"tenant": "acme", "model": "small"}
    assert value("tollgate_requests_total", **small, status="200", code="") == 2
    refused = {"tenant": "acme", "model": "none", "status": "404", "code": "model_not_found"}
    assert value("tollgate_requests_total", **refused) == 1
    assert value("tollgate_tokens_total", **small, type="input") == 13
    assert value("tollgate_tokens_total", **small, type="output") == 2
    assert value("tollgate_cost_usd_total", **small) == 1.7e-5
    assert value("tollgate_cache_total", verdict="miss") == value("tollgate_cache_total", verdict="exact") == 1
    assert value("tollgate_stops_total", prompt="", verdict="complete") == 2
    assert value("gen_ai_server_request_duration_seconds_count", model="small") == 2
    assert value("tollgate_stage_seconds_count", stage="hold") == 2
    assert ("tollgate_preflight_difference_tokens_total", frozenset({("model", "small")})) not in found


def test_a_difference_between_the_counts_is_a_metric(make: Make) -> None:
    """The backend counts the prompt by 7 tokens otherwise than it said before."""
    gateway = make()
    gateway.fake.plan(Script(tuple(s.replace(b'"prompt_tokens": 13', b'"prompt_tokens": 20') for s in said("a"))))
    gateway.ask()
    key = ("tollgate_preflight_difference_tokens_total", frozenset({("model", "small")}))
    assert scraped(gateway)[key] == 7


def test_labels_come_from_no_client(core: Assembled) -> None:
    """Unknown models and prompts would make a new series each."""
    core.ask(model="a-name-that-a-client-made-up")
    core.ask(**template("a-prompt-that-a-client-made-up"))
    assert b"made-up" not in core.runtime.metrics.render()


def test_the_journals_row_has_every_column(core: Assembled) -> None:
    for asked in (core.ask().call, core.ask(model="nobody").call):
        assert set(core.row(asked)) == set(COLUMNS)


def test_open_requests_are_counted_while_they_are_open(core: Assembled) -> None:
    open_requests = ("tollgate_open_requests", frozenset[tuple[str, str]]())

    async def work() -> tuple[float, float]:
        answers = core.runtime.pipeline.run(call())
        await anext(answers)
        during = scraped(core)[open_requests]
        await answers.aclose()
        return during, scraped(core)[open_requests]

    assert core.do(work()) == (1, 0)


def worker(folder: Path, number: int, cached: int, opened: int) -> Samples:
    """What a worker that counts so much shows before it dies."""
    command = [sys.executable, counting.__file__, *map(str, (folder, number, cached, opened))]
    return samples(subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout)


def test_workers_are_summed_and_what_the_dead_counted_stays(tmp_path: Path) -> None:
    cached = ("tollgate_cache_total", frozenset({("verdict", "exact")}))
    routed = ("tollgate_stage_seconds_bucket", frozenset({("stage", "route"), ("le", "0.03")}))
    opened = ("tollgate_open_requests", frozenset[tuple[str, str]]())
    worker(tmp_path, 0, cached=2, opened=3)
    both = worker(tmp_path, 1, cached=5, opened=1)
    assert (both[cached], both[routed], both[opened]) == (7, 2, 4)
    files = set(tmp_path.iterdir())
    ended(tmp_path, 0)
    replaced = worker(tmp_path, 0, cached=10, opened=0)
    assert (replaced[cached], replaced[routed], replaced[opened]) == (17, 3, 1)
    assert set(tmp_path.iterdir()) == files, "a worker that is replaced leaves no files behind"
