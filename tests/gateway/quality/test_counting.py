"""What is counted of answers, guards and engines, as a scrape reads it, and that the series stay few."""

from typing import Any

from gateway.exchange import Looked
from gateway.metrics import Metrics
from gateway.quality.counting import FINGERPRINTS, OTHER, VERSIONS
from serving.events import Usage
from tests.gateway.cli.journal import record
from tests.gateway.test_metrics import Samples, samples


def counted(*records: Any) -> Samples:
    metrics = Metrics()
    for one in records:
        metrics.observe(one)
    return samples(metrics.render().decode())


def answer(*words: str, **changes: Any) -> Any:
    return record(checks=words, **{"status": 200, "error": None} | changes)


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


V1 = {"prompt": "answer", "version": "v1", "model": "small"}


def test_answers_are_counted_with_what_was_found_of_them() -> None:
    found = counted(
        answer(), answer("called", "tool_failed"), answer("truncated", status=502, error="output_truncated"), record()
    )
    assert value(found, "tollgate_answers_total", **V1) == 3
    for check in ("called", "tool_failed", "truncated"):
        assert value(found, "tollgate_checks_total", **V1, check=check) == 1
    assert value(found, "tollgate_output_tokens_count", prompt="answer") == 2, "what was refused has no length"


def test_lengths_fall_into_doublings() -> None:
    found = counted(*(answer(spent=Usage(1, tokens)) for tokens in (8, 9, 100, 20_000)))
    assert value(found, "tollgate_output_tokens_bucket", prompt="answer", le="8.0") == 1
    assert value(found, "tollgate_output_tokens_bucket", prompt="answer", le="128.0") == 3
    assert value(found, "tollgate_output_tokens_bucket", prompt="answer", le="+Inf") == 4


def test_guards_are_counted_by_what_they_ruled_also_where_nothing_was_answered() -> None:
    looked = (Looked("pii", "input", "block"), Looked("pii", "output", "pass", failed="deadline"))
    found = counted(record(looked=looked), answer(looked=looked[:1]))
    assert value(found, "tollgate_guard_total", guard="pii", on="input", verdict="block") == 2
    assert value(found, "tollgate_guard_total", guard="pii", on="output", verdict="pass") == 1
    assert value(found, "tollgate_guard_failures_total", guard="pii", on="output") == 1
    assert ("tollgate_guard_failures_total", frozenset({("guard", "pii"), ("on", "input")})) not in found


def test_however_many_versions_are_asked_for_the_series_stay_few() -> None:
    found = counted(*(answer("empty", prompt_version=f"v{number}") for number in range(100)))
    versions = {
        dict(labels)["version"]: found[name, labels] for name, labels in found if name == "tollgate_checks_total"
    }
    assert len(versions) == VERSIONS + 1
    assert versions["v0"] == 1
    assert versions[OTHER] == 100 - VERSIONS


def test_an_engine_is_known_by_when_it_last_answered() -> None:
    changed = (answer(fingerprint=f"vllm-{number % 50}", at=1_000.0 + number) for number in range(60))
    found = counted(*changed)
    seen = {
        dict(labels)["fingerprint"]: found[name, labels] for name, labels in found if name.startswith("tollgate_eng")
    }
    assert (seen["vllm-5"], seen[OTHER], len(seen)) == (1_055.0, 1_049.0, FINGERPRINTS + 1)
