"""Finished requests as OpenTelemetry spans, made when the request is over: one root span with the time of each stage.

A span costs some 50 us with its export, ten times what a stage does. So the stages are spans of their own, with their
facts, where somebody will look at them: the caller follows the request in a trace of its own, it failed, its answer is
not complete, or it took SLOW_MS.

Exports over OTLP/HTTP when the settings name an endpoint; otherwise no span is made at all (the local journal has the
same facts). Knows no prompt text: content is never recorded. A collector that is down or slow costs nothing but the
spans, which are dropped; no request waits for it.
"""

from opentelemetry import trace as otel
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from gateway.record import Record
from gateway.settings import Telemetry as Section
from gateway.tracing import Stage, Trace, flat

# The default queue of 2,048 spans is full after half a second at 500 requests/s with 9 spans each.
QUEUE = 16384
SLOW_MS = 1000.0  # of such a request its spans are less than a thousandth
EXPORT_S = 5  # for one export, so also what a collector that hangs can delay a stop by


class _Ids(IdGenerator):
    """Gives the next root span the ids that were sent to the backend and to the client while the request ran."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()
        self.next: Trace | None = None

    def generate_trace_id(self) -> int:
        return int(self.next.trace_id, 16) if self.next else self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        trace, self.next = self.next, None
        return int(trace.span_id, 16) if trace else self._random.generate_span_id()


class Telemetry:
    """Turns records into spans. Close it to flush."""

    def __init__(self, section: Section) -> None:
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": section.service_name}), id_generator=self._ids
        )
        self.enabled = section.otlp_endpoint is not None
        if section.otlp_endpoint is not None:
            exporter = OTLPSpanExporter(endpoint=section.otlp_endpoint.rstrip("/") + "/v1/traces", timeout=EXPORT_S)
            self._provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=QUEUE))
        self._tracer = self._provider.get_tracer("tollgate")

    def __call__(self, record: Record, trace: Trace) -> None:
        """Export one finished request, if its caller had it sampled."""
        if not self.enabled or not trace.sampled:
            return
        root = self._root(record, trace)
        if _worth_a_look(record, trace):
            self._children(root, trace)
        root.end(trace.wall + int(record.duration_ms * 1e6))

    def close(self) -> None:
        """Flush and stop. Blocks for some EXPORT_S at most: call it in a thread."""
        self._provider.shutdown()

    def _root(self, record: Record, trace: Trace) -> Span:
        parent = otel.set_span_in_context(NonRecordingSpan(_remote(trace))) if trace.parent else None
        self._ids.next = trace
        root = self._tracer.start_span(
            f"{record.operation} {record.model or 'unknown'}", parent, SpanKind.SERVER, start_time=trace.wall
        )
        root.set_attributes(record.attributes())
        root.set_attributes({f"tollgate.{name}.ms": ms for name, ms in record.timings_ms.items()})
        if record.status >= 500:
            root.set_status(Status(StatusCode.ERROR, record.error))
        return root

    def _children(self, root: Span, trace: Trace) -> None:
        context = otel.set_span_in_context(root)
        for stage in trace.stages:
            child = self._tracer.start_span(stage.name, context, start_time=_wall(trace, stage.start))
            child.set_attributes(flat(stage.facts, f"tollgate.{stage.name}"))
            _mark(child, stage)
            child.end(_wall(trace, stage.end))


def _worth_a_look(record: Record, trace: Trace) -> bool:
    odd = record.error is not None or record.stop not in (None, "complete")
    return odd or trace.parent is not None or record.duration_ms >= SLOW_MS


def _mark(span: Span, stage: Stage) -> None:
    if stage.error:
        span.set_attribute("error.type", stage.error)
        span.set_status(Status(StatusCode.ERROR, stage.error))


def _remote(trace: Trace) -> SpanContext:
    return SpanContext(int(trace.trace_id, 16), int(trace.parent or "0", 16), True, TraceFlags(1))


def _wall(trace: Trace, ticks: int) -> int:
    """perf_counter_ns as nanoseconds since the epoch, by the request's one pair of readings."""
    return trace.wall + ticks - trace.began
