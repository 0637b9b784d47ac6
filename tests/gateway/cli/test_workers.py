"""serve --workers: several processes on one port, killed and stopped in every way."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.cli.workers import LONGEST_PAUSE_S, PAUSE_S, STEADY_S, described, next_pause
from gateway.settings import load
from gateway.state import State
from gateway.state.open import open_state
from tests.fakes.backend import DONE, HANG, Script, said, words
from tests.gateway.cli.processes import exists, running
from tests.gateway.cli.served import CHAT, Gateway, served, worker_of
from tests.gateway.waiting import waited

PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with served(tmp_path_factory.mktemp("workers"), "--workers", 2) as started:
        yield started


def statuses(gateway: Gateway, key: str, count: int) -> list[int]:
    """Ask so often at once, each over a connection of its own."""

    async def work() -> list[int]:
        asked, headers = CHAT | {"gateway": {"cache": "skip"}}, {"authorization": f"Bearer {key}"}
        once = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx2.AsyncClient(limits=once, timeout=60) as client:
            posts = (client.post(f"{gateway.url}{PATH}", json=asked, headers=headers) for _ in range(count))
            return [answer.status_code for answer in await asyncio.gather(*posts)]

    return asyncio.run(work())


def counted(gateway: Gateway, name: str) -> float:
    """The sum of a metric's samples, over a new connection."""
    with urlopen(f"{gateway.url}/metrics", timeout=60) as answer:  # closes its connection each time
        text = answer.read().decode()
    return sum(s.value for f in text_string_to_metric_families(text) for s in f.samples if s.name == name)


async def _settled(config: Path, request_id: str) -> tuple[bool, dict[str, object] | None]:
    state: State = await open_state(load(config).state.url)
    try:
        return request_id not in await state.budgets.open_holds(), await state.journal.read(request_id)
    finally:
        await state.close()


def gone(pids: list[int]) -> bool:
    return not any(map(exists, pids))


def test_a_budget_for_25_admits_25_whichever_worker_is_asked(gateway: Gateway) -> None:
    """Who accepts a connection is the kernel's choice: asked until both have admitted some."""
    admitting: set[int] = set()
    while len(admitting) < 2:
        before = len(gateway.answered(PATH))
        assert sorted(statuses(gateway, gateway.key("requests/day=25"), 75)) == [200] * 25 + [429] * 50
        waited(lambda before=before: len(gateway.answered(PATH)) == before + 75)  # type: ignore[misc]
        admitting |= {pid for pid, status in gateway.answered(PATH)[before:] if status == 200}
    assert admitting == set(gateway.workers())


def test_metrics_are_of_all_workers_whichever_is_asked(gateway: Gateway) -> None:
    statuses(gateway, gateway.key(), 20)
    asked: set[int] = set()
    while len(asked) < 2:
        waited(lambda: counted(gateway, "tollgate_requests_total") == len(gateway.answered(PATH)))
        asked |= {pid for pid, _ in gateway.answered("/metrics")}
    assert counted(gateway, "tollgate_open_requests") == 0


def test_a_worker_that_is_killed_is_replaced_and_its_request_settled(gateway: Gateway) -> None:
    key, workers = gateway.key(), gateway.workers()
    gateway.fake.plan(Script((*words("Hel"), HANG)))
    before = counted(gateway, "tollgate_requests_total")
    with gateway.ask(key) as answer:
        pieces = answer.iter_bytes()  # kept: an iterator that is dropped closes the stream
        next(pieces)
        waited(lambda: counted(gateway, "tollgate_open_requests") == 1)
        request_id = answer.headers["x-request-id"]
        victim = worker_of(answer.extensions["network_stream"].get_extra_info("client_addr"), workers)
        os.kill(victim, signal.SIGKILL)
        assert statuses(gateway, key, 10) == [200] * 10
        with pytest.raises(httpx2.TransportError):
            list(pieces)
    waited(lambda: counted(gateway, "tollgate_requests_total") == before + 10)
    waited(lambda: counted(gateway, "tollgate_open_requests") == 0)
    waited(lambda: asyncio.run(_settled(gateway.config, request_id))[0])
    row = asyncio.run(_settled(gateway.config, request_id))[1]
    assert row is not None
    assert (row["error"], row["input_tokens"]) == ("process_died", 13)
    assert row["output_tokens"] in (0, 1)  # it was killed within a second of its hold, or on a busy machine later
    waited(lambda: len(gateway.workers()) == 2)
    assert "ended (signal 9: Killed); it is started again in" in gateway.running.log.read_text()
    new = (set(gateway.workers()) - set(workers)).pop()
    waited(lambda: bool(statuses(gateway, key, 5)) and new in {pid for pid, _ in gateway.answered(PATH)})


def test_when_the_starter_is_killed_no_process_is_left(tmp_path: Path) -> None:
    with served(tmp_path, "--workers", 2) as gateway:
        workers = gateway.workers()
        assert len(workers) == 2
        folder = Path(Path(f"/proc/{workers[0]}/cmdline").read_text().split("\0")[-2])
        assert folder.is_dir()
        gateway.running.process.kill()
        waited(lambda: gone(workers))
        assert not folder.exists()


def test_running_answers_are_finished_before_it_stops(tmp_path: Path) -> None:
    """Every process gets the signal, as from a service manager: the workers get it twice."""
    with served(tmp_path, "--workers", 2) as gateway:
        steps = said("Hel", "lo")
        gateway.fake.plan(Script(steps=(*steps[:2], 5.0, *steps[2:])))
        workers = gateway.workers()
        with gateway.ask(gateway.key()) as answer:
            pieces = answer.iter_bytes()
            read = next(pieces)
            for pid in workers:
                os.kill(pid, signal.SIGTERM)
            waited(lambda: gateway.running.log.read_text().count("Shutting down") == 2)
            gateway.running.process.send_signal(signal.SIGTERM)
            read += b"".join(pieces)
        assert read.endswith(DONE)
        assert gateway.running.ended() == 0
        assert gone(workers)


def test_a_second_signal_cuts_what_runs_and_settles_it(tmp_path: Path) -> None:
    """As from a terminal's Ctrl-C: to every process."""
    with served(tmp_path, "--workers", 2) as gateway:
        gateway.fake.plan(Script((*words("Hel"), HANG)))
        workers = gateway.workers()
        with gateway.ask(gateway.key()) as answer:
            pieces = answer.iter_bytes()
            next(pieces)
            os.killpg(gateway.running.process.pid, signal.SIGINT)
            waited(lambda: gateway.running.log.read_text().count("Shutting down") == 2)
            os.killpg(gateway.running.process.pid, signal.SIGINT)
            assert gateway.running.ended() == 0
        assert gone(workers)
        settled, row = asyncio.run(_settled(gateway.config, answer.headers["x-request-id"]))
        assert settled
        assert row is not None
        assert row["output_tokens"] == 1


def test_when_no_worker_can_start_it_ends_and_the_log_says_why(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that no check of the start looks for: a library reads its own variables."""
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "many")
    with running("serve", "--config", config, "--port", 0, "--workers", 2, log=tmp_path / "log") as process:
        assert process.ended() == 1
    log = process.log.read_text()
    assert "OTEL_SPAN_EVENT_COUNT_LIMIT must be a non-negative integer but got many" in log
    assert log.endswith("tollgate: no worker could start; the lines above say why\n")


def test_pauses_grow_until_a_worker_lasts() -> None:
    pauses = [0.0]
    for _ in range(10):
        pauses.append(next_pause(pauses[-1], lived_s=0.1))
    assert pauses[:4] == [0, PAUSE_S, 2 * PAUSE_S, 4 * PAUSE_S]
    assert pauses[-1] == LONGEST_PAUSE_S
    assert next_pause(LONGEST_PAUSE_S, STEADY_S) == 0


def test_an_end_is_described() -> None:
    assert described(-9) == "signal 9: Killed"
    assert described(3) == "exit status 3"
