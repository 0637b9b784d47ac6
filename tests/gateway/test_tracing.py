"""The trace of one request: W3C context in and out, stages with their facts and errors, and what becomes of them."""

import asyncio
import re

import pytest

from gateway.errors import NotFound
from gateway.tracing import Trace, flat, traced

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_request_joins_its_callers_trace() -> None:
    trace = Trace(f"00-{TRACE}-{SPAN}-01")
    assert (trace.trace_id, trace.parent, trace.sampled) == (TRACE, SPAN, True)
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-01", trace.traceparent)
    assert trace.span_id != SPAN


def test_a_caller_that_does_not_sample_is_followed() -> None:
    trace = Trace(f"00-{TRACE}-{SPAN}-00")
    assert not trace.sampled
    assert trace.traceparent.endswith("-00")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE[:-1]}-{SPAN}-01",
    ],
)
def test_a_header_that_is_not_well_formed_starts_a_new_trace(header: str | None) -> None:
    trace = Trace(header)
    assert trace.parent is None
    assert trace.sampled
    assert re.fullmatch(r"[0-9a-f]{32}", trace.trace_id)
    assert trace.trace_id not in (TRACE, "0" * 32)


def test_a_stage_keeps_its_time_its_facts_and_its_error() -> None:
    trace = Trace()
    with trace.stage("build") as stage:
        stage.facts = {"messages": 2}
    with pytest.raises(NotFound), trace.stage("check"):
        raise NotFound("no", code="prompt_not_found")
    with pytest.raises(KeyError), trace.stage("check"):
        raise KeyError("secret")
    build, refused, bug = trace.stages
    assert (build.facts, build.error) == ({"messages": 2}, None)
    assert (refused.error, bug.error) == ("prompt_not_found", "KeyError")
    assert all(stage.end >= stage.start >= trace.began for stage in trace.stages)


def test_times_of_the_same_stage_are_summed() -> None:
    trace = Trace()
    for _ in range(2):
        trace.note("route", trace.began)
    assert list(trace.timings_ms()) == ["route"]
    assert trace.timings_ms()["route"] == pytest.approx(sum(stage.ms for stage in trace.stages), abs=0.002)


def test_the_tree_is_ordered_by_start_and_leaves_out_what_is_empty() -> None:
    trace = Trace()
    with trace.stage("late"):
        pass
    trace.note("early", trace.began, backend="b").error = "Cut"
    early, late = trace.tree()
    assert early == {"stage": "early", "at_ms": 0.0, "ms": early["ms"], "facts": {"backend": "b"}, "error": "Cut"}
    assert set(late) == {"stage", "at_ms", "ms"}


def test_a_traced_step_gives_its_values_facts() -> None:
    class Value:
        def facts(self) -> dict[str, int]:
            return {"n": 3}

    class Asked:
        trace = Trace()

    class Step:
        @traced("step")
        async def __call__(self, call: Asked, value: object) -> object:
            """What it does."""
            return value

    step = Step()
    asyncio.run(step(Asked(), Value()))
    asyncio.run(step(Asked(), "plain"))
    assert [stage.facts for stage in Asked.trace.stages] == [{"n": 3}, {}]
    assert Step.__call__.__doc__ == "What it does."


def test_facts_become_attributes() -> None:
    facts = {"a": 1, "b": None, "c": [1, 2], "d": True, "e": "x", "f": 0.5}
    assert flat(facts, "tollgate.x") == {
        "tollgate.x.a": 1, "tollgate.x.c": "[1, 2]", "tollgate.x.d": True, "tollgate.x.e": "x", "tollgate.x.f": 0.5,
    }  # fmt: skip
