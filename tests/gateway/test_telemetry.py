"""Spans as a collector gets them: a loopback server decodes them. Nothing waits for it, and no text is in them."""

import http.server
import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from gateway import telemetry
from gateway.errors import ContextLengthExceeded
from tests.fakes.backend import RST, Script, said, words
from tests.fakes.background import running
from tests.gateway.assembled import Assembled, assembled
from tests.gateway.calls import call, caller, template

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CANARY = "heliotrope"


class Sink:
    """An OTLP/HTTP collector that keeps what it gets."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                sink.bodies.append(body)
                request = ExportTraceServiceRequest.FromString(body)
                scopes = [scope for resource in request.resource_spans for scope in resource.scope_spans]
                sink.spans += [span for scope in scopes for span in scope.spans]
                self.send_response(200 if self.path == "/v1/traces" else 404)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def of(self, trace_id: str) -> list[Span]:
        """The spans of one trace, the root first."""
        return sorted((s for s in self.spans if s.trace_id.hex() == trace_id), key=lambda span: span.kind, reverse=True)


@pytest.fixture
def sink() -> Iterator[Sink]:
    sink = Sink()
    threading.Thread(target=sink.server.serve_forever, daemon=True).start()
    yield sink
    sink.server.shutdown()
    sink.server.server_close()


@contextmanager
def exporting(folder: Path, endpoint: str, **sections: Any) -> Iterator[Assembled]:
    """A gateway that exports there; its end flushes."""
    with running(assembled(folder, telemetry={"otlp_endpoint": endpoint}, **sections)) as gateway:
        yield gateway


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value") for one in span.attributes}


def test_a_request_is_one_trace_with_the_ids_that_were_sent(
    sink: Sink, tmp_path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "SLOW_MS", 0.0)
    with exporting(tmp_path, sink.url, retrieve={"docs": {"path": docs}}) as gateway:
        asked = gateway.ask(**template("answer", question="What does the KV cache do?")).call
        sent = gateway.chats()[-1].headers["traceparent"]
        stages = gateway.stages(asked)
    root, *children = sink.of(asked.trace.trace_id)
    assert sent == f"00-{root.trace_id.hex()}-{root.span_id.hex()}-01"
    assert (root.name, root.kind, root.parent_span_id) == ("chat small", Span.SPAN_KIND_SERVER, b"")
    assert [child.name for child in sorted(children, key=lambda span: span.start_time_unix_nano)] == stages
    assert all(child.parent_span_id == root.span_id for child in children)
    assert all(root.start_time_unix_nano <= c.start_time_unix_nano <= c.end_time_unix_nano for c in children)
    assert all(child.end_time_unix_nano <= root.end_time_unix_nano for child in children)
    told = attributes(root)
    assert (told["gen_ai.request.model"], told["gen_ai.usage.input_tokens"]) == ("small", 13)
    assert (told["gen_ai.prompt.name"], told["http.response.status_code"]) == ("answer", 200)
    assert told["tollgate.cache"] == "miss"


def test_a_quick_and_good_request_is_one_span_with_its_stages_times(
    sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "SLOW_MS", math.inf)
    with exporting(tmp_path, sink.url) as gateway:
        good, followed = gateway.ask().call, gateway.ask(traceparent=f"00-{TRACE}-{SPAN}-01").call
        gateway.fake.plan(Script(said("a", finish="length")))
        cut = gateway.ask().call
        row = gateway.row(good)
    (root,) = sink.of(good.trace.trace_id)
    told = attributes(root)
    times = {stage["stage"]: told[f"tollgate.{stage['stage']}.ms"] for stage in row["detail"]["stages"]}
    assert times == {stage["stage"]: stage["ms"] for stage in row["detail"]["stages"]}
    for looked_at in (followed, cut):
        assert len(sink.of(looked_at.trace.trace_id)) > 1


def test_a_trace_says_what_was_asked_of_the_model(sink: Sink, tmp_path: Path) -> None:
    with exporting(tmp_path, sink.url) as gateway:  # its backend knows neither path, which is told as well
        written = gateway.ask(replace(call(), messages=(), text="Once")).call
        embedded = replace(call(model="all-MiniLM-L6-v2"), messages=(), inputs=("word " * 300,))
        with pytest.raises(ContextLengthExceeded):
            gateway.do(gateway.runtime.embedding.run(embedded))
    for asked, operation, id in ((written, "text_completion", "cmpl"), (embedded, "embeddings", "embd")):
        root, *_ = sink.of(asked.trace.trace_id)
        told = attributes(root)
        assert root.name.startswith(f"{operation} ")
        assert (told["gen_ai.operation.name"], told["gen_ai.response.id"]) == (operation, f"{id}-{asked.request_id}")


def test_a_request_joins_its_callers_trace(sink: Sink, tmp_path: Path) -> None:
    with exporting(tmp_path, sink.url) as gateway:
        asked = gateway.ask(traceparent=f"00-{TRACE}-{SPAN}-01").call
        gateway.ask(traceparent=f"00-{'1' * 32}-{SPAN}-00")  # whose caller does not sample
    root, *_ = sink.of(TRACE)
    assert (root.parent_span_id.hex(), root.span_id.hex()) == (SPAN, asked.trace.span_id)
    assert sink.of("1" * 32) == []


def test_each_of_many_at_once_has_its_own_ids(sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "SLOW_MS", 0.0)
    with exporting(tmp_path, sink.url) as gateway:
        asked = [gateway.ask(cache="skip").call for _ in range(5)]
    for one in asked:
        root, *children = sink.of(one.trace.trace_id)
        assert root.span_id.hex() == one.trace.span_id
        assert len({span.span_id for span in (root, *children)}) == 1 + len(children) == 10


def test_a_failure_is_marked_on_its_stage_and_on_the_request(sink: Sink, tmp_path: Path) -> None:
    with exporting(tmp_path, sink.url) as gateway:
        gateway.fake.plan(Script((*words("a"), RST)))
        broken, refused = gateway.ask().call, gateway.ask(model="nobody").call
    root, *children = sink.of(broken.trace.trace_id)
    assert (root.status.code, root.status.message) == (Status.STATUS_CODE_ERROR, "backend_unavailable")
    assert attributes(next(c for c in children if c.name == "generate"))["error.type"] == "cut"
    root, *children = sink.of(refused.trace.trace_id)
    assert root.status.code == Status.STATUS_CODE_UNSET  # the client's fault is none of the server
    assert attributes(root)["error.type"] == "model_not_found"
    assert attributes(children[0])["error.type"] == "model_not_found"


def test_no_text_of_prompt_answer_or_variable_is_exported(
    sink: Sink, tmp_path: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "SLOW_MS", 0.0)
    with exporting(tmp_path, sink.url, build={"prompts": prompts}) as gateway:
        who = caller()
        gateway.fake.plan(Script(said(f"A {CANARY} is a flower.")), Script(said(CANARY, finish="length")))
        for question in (f"What is {CANARY}?", f"What is a {CANARY}?", f"Why is {CANARY} purple?"):
            gateway.ask(who=who, **template("advise", question=question, audience="experts"))
        gateway.ask(f"Is it {CANARY}?", fields={"min_tokens": 9, "max_tokens": 1})
        gateway.ask(**template("advise", question="?", audience=CANARY))
        gateway.ask(messages=({"role": "system", "content": CANARY}, {"role": "user", "content": CANARY}))
    assert len(sink.spans) > 20
    assert not any(CANARY.encode() in body for body in sink.bodies)


@contextmanager
def hanging() -> Iterator[str]:
    """A collector that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def down() -> Iterator[str]:
    """A collector that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("collector", [hanging, down])
def test_a_collector_that_hangs_or_is_down_delays_no_request(
    collector: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More spans than a batch holds are made, so that an export is under way; the end gives up on it."""
    monkeypatch.setattr(telemetry, "SLOW_MS", 0.0)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")  # seconds; 10 by default
    with collector() as url, exporting(tmp_path, url) as gateway:
        asked = [gateway.ask(cache="skip").call for _ in range(70)]  # 560 spans; a batch has 512
        began = time.monotonic()
        last = gateway.ask(cache="skip")
        assert time.monotonic() - began < 5
        assert last.error is None
        assert all(gateway.row(one)["status"] == 200 for one in asked[-3:])
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 40


def test_without_a_collector_no_span_is_made(core: Assembled) -> None:
    listeners = core.runtime.pipeline.ledger.listeners
    assert listeners[0].enabled is False  # type: ignore[attr-defined]
