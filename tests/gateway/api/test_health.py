"""Health and metrics: without a key, and honest."""

import time

from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.api.conftest import Gateway


def test_alive(gateway: Gateway) -> None:
    assert gateway.http.get("/health/live").json() == {"status": "ok"}


def test_ready_says_what_is_missing_until_nothing_is(gateway: Gateway) -> None:
    """The embedder loads in the background, so a young gateway is not ready yet."""
    deadline = time.monotonic() + 60
    while (answer := gateway.http.get("/health/ready")).status_code == 503:
        assert answer.json()["status"] == "unready"
        assert answer.json()["faults"]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answer.json() == {"status": "ok", "faults": [], "warnings": []}


def test_a_stopping_gateway_is_not_ready_but_alive(gateway: Gateway) -> None:
    gateway.runtime.draining = True
    try:
        ready = gateway.http.get("/health/ready")
        assert (ready.status_code, ready.json()["faults"]) == (503, ["the gateway is stopping"])
        assert gateway.http.get("/health/live").status_code == 200
        assert gateway.openai().models.list().data
    finally:
        gateway.runtime.draining = False


def test_metrics_are_prometheus_text_and_count_requests(gateway: Gateway) -> None:
    def count() -> float:
        answer = gateway.http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        families = text_string_to_metric_families(answer.text)
        return sum(s.value for f in families for s in f.samples if s.name == "tollgate_requests_total")

    before = count()
    gateway.chat({"model": "small", "messages": [{"role": "user", "content": "Hi"}]})
    assert count() == before + 1
