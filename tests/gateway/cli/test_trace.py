"""trace: every decision of a request, whole."""

from pathlib import Path

from tests.gateway.cli.conftest import Tollgate
from tests.gateway.cli.journal import STAGES, record, write


def test_the_tree_has_every_stage_and_what_it_came_to(tollgate: Tollgate, config: Path) -> None:
    write(config, record())
    out = tollgate("trace", "req_1", "--config", config).out
    for said in ("req_1", "502", "tenant acme", "failed: output_invalid", "input 200", "$0.0006", "stop    failed"):
        assert said in out
    assert [out.index(str(stage["stage"])) for stage in STAGES] == sorted(out.index(str(s["stage"])) for s in STAGES)


def test_money_that_was_held_is_shown_in_dollars(tollgate: Tollgate, config: Path) -> None:
    write(config, record())
    assert "$0.005" in tollgate("trace", "req_1", "--config", config).out


def test_lines_are_never_cut_and_values_are_no_markup(tollgate: Tollgate, config: Path) -> None:
    long = "x" * 200
    write(config, record(stages=[{"stage": "build", "at_ms": 0.0, "ms": 1.0, "facts": {"prompt": long}}]))
    out = tollgate("trace", "req_1", "--config", config).out
    assert long in out
    assert "[bold]kv-cache.md" in out


def test_as_json_it_is_the_row_with_its_stages(tollgate: Tollgate, config: Path) -> None:
    write(config, record())
    row = tollgate("trace", "req_1", "--config", config, "--json").json
    assert (row["tenant"], row["stages"]) == ("acme", STAGES)


def test_a_request_that_was_refused_early_has_a_tree_too(tollgate: Tollgate, config: Path) -> None:
    bare = record(model=None, backend=None, prompt=None, cost_nano=None, ttft_ms=None, stop=None, stages=[], gateway={})
    write(config, bare)
    assert "no price set" in tollgate("trace", "req_1", "--config", config).out


def test_an_unknown_request_is_a_failure(tollgate: Tollgate, config: Path) -> None:
    ran = tollgate("trace", "req_absent", "--config", config)
    assert ran.code == 1
    assert "x-request-id" in ran.err
