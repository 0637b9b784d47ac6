"""The gateway's Prometheus metrics, in one registry of its own. Knows no request: it is handed a finished `Record`.

Several workers count into files of one folder (`share`), and whichever is asked sums them all (prometheus_client's
multiprocess mode, https://prometheus.github.io/client_python/multiprocess/). Counters never go down when a worker dies.

Names follow OpenTelemetry's GenAI conventions (v1.41) where they have one, `tollgate_` otherwise. Tenants label
counters only: a histogram per tenant would cost 14 series each. Label values come from the settings and the error
table, never from a client, so the number of series is bounded.
"""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from gateway.caching.opinion import Judgement
from gateway.quality.counting import Counting
from gateway.record import Record

# OpenTelemetry GenAI conventions v1.41: gen_ai.server.request.duration and .time_to_first_token, in seconds.
DURATIONS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
# A stage takes from tens of microseconds (a render) to seconds (a generation).
STAGES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
M = TypeVar("M", bound=MetricWrapperBase)
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # where prometheus_client looks for the files that the workers share


def share(folder: Path, worker: int) -> None:
    """Count into files of `folder` from now on, together with the other workers; call it before any Metrics is made.

    `worker` is this process's number among those that run. The one that replaces it counts on in the same files, so
    there are as many of them as workers, however often one dies.
    """
    os.environ[FOLDER] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: worker)  # type: ignore[no-untyped-call] # it has no types


def ended(folder: Path, worker: int) -> None:
    """That worker has gone, and what it had in flight with it; what it counted stays."""
    mark_process_dead(worker, str(folder))  # type: ignore[no-untyped-call]


class Metrics:
    """Counters and histograms of this process, or of all that `share` a folder."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.requests = Counter(
            "tollgate_requests", "Requests by outcome", ["tenant", "model", "status", "code"], registry=r
        )
        self.tokens = Counter("tollgate_tokens", "Tokens billed", ["tenant", "model", "type"], registry=r)
        self.cost = Counter("tollgate_cost_usd", "Dollars billed by the rate card", ["tenant", "model"], registry=r)
        self.cache = Counter("tollgate_cache", "Cache verdicts", ["verdict"], registry=r)
        self.judged = Counter("tollgate_judge", "Comparisons by the cache's judge", ["outcome"], registry=r)
        self.judge_tokens = Counter(
            "tollgate_judge_tokens", "Tokens that the cache's judge used", ["model", "type"], registry=r
        )
        self.loads = Counter(
            "tollgate_collection_loads",
            "Versions of collections loaded or refused",
            ["collection", "outcome"],
            registry=r,
        )
        self.reloads = Counter("tollgate_reloads", "Reloads of settings and prompts", ["outcome"], registry=r)
        self.canaries = Gauge(
            "tollgate_canary_held",
            "Whether a version that is tried is held back",
            ["prompt", "version"],
            multiprocess_mode="livemax",
            registry=r,
        )
        self.stops = Counter("tollgate_stops", "Stop verdicts by prompt", ["prompt", "verdict"], registry=r)
        self.difference = Counter(
            "tollgate_preflight_difference_tokens", "Sum of |preflight count - engine's count|", ["model"], registry=r
        )
        self.duration = Histogram(
            "gen_ai_server_request_duration_seconds", "Arrival to last event", ["model"], buckets=DURATIONS, registry=r
        )
        self.first = Histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "Arrival to first content",
            ["model"],
            buckets=DURATIONS,
            registry=r,
        )
        self.stage = Histogram("tollgate_stage_seconds", "Time per stage", ["stage"], buckets=STAGES, registry=r)
        self.open = Gauge("tollgate_open_requests", "Requests in flight", multiprocess_mode="livesum", registry=r)
        self.quality = Counting(r)
        self._of = cache(_child)
        self._tried: set[tuple[str, str]] = set()
        self._shown = r
        if FOLDER in os.environ:
            self._shown = CollectorRegistry()
            MultiProcessCollector(self._shown)  # type: ignore[no-untyped-call]

    def observe(self, record: Record) -> None:
        """Count one finished request."""
        of, tenant, model = self._of, record.tenant, record.model or "none"
        of(self.requests, tenant, model, str(record.status), record.error or "").inc()
        for kind, amount in record.spent_by_type().items():
            of(self.tokens, tenant, model, kind).inc(amount)
        if record.cost_nano:
            of(self.cost, tenant, model).inc(record.cost_nano / 1e9)
        if record.cache:
            of(self.cache, record.cache).inc()
        if record.stop:
            of(self.stops, record.prompt or "", record.stop).inc()
        if record.difference:
            of(self.difference, model).inc(abs(record.difference))
        of(self.duration, model).observe(record.duration_ms / 1e3)
        if record.ttft_ms is not None:
            of(self.first, model).observe(record.ttft_ms / 1e3)
        for name, ms in record.timings_ms.items():
            of(self.stage, name).observe(ms / 1e3)
        self.quality.observe(record)

    def load(self, collection: str, outcome: str) -> None:
        """Count one version of a collection, `loaded` or `refused`."""
        self._of(self.loads, collection, outcome).inc()

    def reload(self, outcome: str) -> None:
        """Count one reload: `reloaded`, `unchanged` or `refused`."""
        self._of(self.reloads, outcome).inc()

    def held(self, versions: Mapping[tuple[str, str], bool]) -> None:
        """Which versions that are tried, by prompt and version, are held back; others are tried no more."""
        for name in self._tried | versions.keys():
            self._of(self.canaries, *name).set(versions.get(name, False))
        self._tried = {*versions}

    def judge(self, judgement: Judgement) -> None:
        """Count one comparison."""
        of, used = self._of, judgement.usage
        of(self.judged, judgement.outcome).inc()
        for kind, amount in (("input", used.input_tokens), ("output", used.output_tokens)):
            of(self.judge_tokens, judgement.model, kind).inc(amount)

    def render(self) -> bytes:
        """The text exposition format, version 0.0.4."""
        return generate_latest(self._shown)


def _child(metric: M, *labels: str) -> M:
    """The metric's child with these labels; kept, because to look it up costs as much as to count."""
    return metric.labels(*labels)
