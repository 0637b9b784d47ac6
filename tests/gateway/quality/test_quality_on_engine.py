"""The real engine's own name and words in the journal."""

from pathlib import Path

from tests.fakes.background import running
from tests.gateway.assembled import on_engine
from tests.gateway.calls import call
from tests.gateway.waiting import waited


def test_the_engines_name_and_why_it_stopped(engine: str, tmp_path: Path) -> None:
    with running(on_engine(engine, tmp_path)) as gateway:
        waited(lambda: "small" in gateway.runtime.models)
        cut = gateway.ask(call("Tell me a long story.", on_length="return", fields={"max_completion_tokens": 3}))
        row = gateway.row(cut.call)
        assert row["fingerprint"].startswith("vllm-")
        assert (row["cause"], row["checks"], row["output_tokens"]) == ("ceiling", "truncated", 3)
