"""The metrics of finished requests, as a scrape reads them, and the record that they are made of."""

from prometheus_client.parser import text_string_to_metric_families

from gateway.state import COLUMNS
from tests.fakes.backend import Script, said
from tests.gateway.assembled import Assembled
from tests.gateway.calls import call, caller, template
from tests.gateway.conftest import Make


def scraped(gateway: Assembled) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(gateway.runtime.metrics.render().decode())
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
