"""Quality as Prometheus counts it: what was found of answers, their lengths, what guards ruled, which engine spoke.

Rates are quotients: `tollgate_checks_total / tollgate_answers_total`. No label comes from a client: prompts, versions
and models are the library's and the settings'; but any version of a prompt's history may be asked for, so that only
the first VERSIONS of each are told apart, and the rest are `other`. (The first and not the latest, for a series cannot
be taken back from the files that workers share. The journal tells all apart.)

The fingerprint is no label of these counters: it changes with every upgrade of an engine, and would multiply them all.
It has a series of its own, whose value is when that engine last answered: `tollgate quality --by fingerprint` has the
rates.
"""

from collections import defaultdict
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.record import Record

VERSIONS = 8  # of a prompt: today's, the canary and the one before are three; each costs a dozen series
FINGERPRINTS = 32  # of a model: one for each engine version and hardware that it ran on since this process began
OTHER = "other"
# Doublings, from a word to a long report: a drift by half is seen within a bucket or two.
TOKENS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Counting:
    """Counts finished requests into `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        made = ["prompt", "version", "model"]
        self.answers = Counter("tollgate_answers", "Answers that were judged", made, registry=registry)
        self.checks = Counter("tollgate_checks", "What was found of them", [*made, "check"], registry=registry)
        self.output = Histogram(
            "tollgate_output_tokens", "Output tokens of an answer", ["prompt"], buckets=TOKENS, registry=registry
        )
        self.guards = Counter(
            "tollgate_guard", "Requests by what a guard ruled", ["guard", "on", "verdict"], registry=registry
        )
        self.failures = Counter(
            "tollgate_guard_failures", "Requests that a guard gave no answer to", ["guard", "on"], registry=registry
        )
        self.engine = Gauge(
            "tollgate_engine_seen_timestamp_seconds",
            "When an engine of this fingerprint last answered",
            ["model", "fingerprint"],
            multiprocess_mode="max",
            registry=registry,
        )
        self._versions, self._fingerprints = Known(VERSIONS), Known(FINGERPRINTS)
        self._answers, self._checks = cache(self.answers.labels), cache(self.checks.labels)
        self._output, self._guards = cache(self.output.labels), cache(self.guards.labels)

    def observe(self, record: Record) -> None:
        """Count one finished request."""
        for one in record.looked:
            self._guards(one.guard, one.where, one.ruling).inc()
            if one.failed:
                self.failures.labels(one.guard, one.where).inc()
        if record.checks is None:
            return
        prompt, model = record.prompt or "", record.model or "none"
        made = prompt, self._versions.name(prompt, record.prompt_version or ""), model
        self._answers(*made).inc()
        for check in record.checks:
            self._checks(*made, check).inc()
        if record.error is None:
            self._output(prompt).observe(record.spent.output_tokens)
        if record.fingerprint:
            self.engine.labels(model, self._fingerprints.name(model, record.fingerprint)).set(record.at)


class Known:
    """The first `most` names of each kind; all others are OTHER."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._names = defaultdict[str, set[str]](set)

    def name(self, kind: str, name: str) -> str:
        names = self._names[kind]
        if name not in names and len(names) < self._most:
            names.add(name)
        return name if name in names else OTHER
