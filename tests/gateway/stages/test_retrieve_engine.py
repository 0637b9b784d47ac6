"""Searches in an engine that fails: a refusal that can be retried, nothing charged, never a bug's 500."""

from collections.abc import Iterator

import pytest

from gateway.errors import Unready
from gateway.errors.wire import Wire
from gateway.exchange import Retrieval
from tests.fakes.background import running
from tests.fakes.raw import Raw, raw_server, sized
from tests.gateway.assembled import Assembled, assembled
from tests.gateway.calls import caller
from tests.gateway.engines import AWAY, HANGS, Scripted, failing
from tests.gateway.waiting import waited

SCRIPTED = Scripted()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembled]:
    folder = tmp_path_factory.mktemp("engine")
    with running(raw_server(SCRIPTED)) as server:
        collection = {"path": folder / "absent", "engine": server.url}
        with running(assembled(folder, retrieve={"docs": collection})) as gateway:
            waited(lambda: "docs" in gateway.runtime.collections)
            yield gateway


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (AWAY, "does not answer"),
        (HANGS, "does not answer (ReadTimeout)"),
        (failing(b"500 Internal Server Error"), "answered 500"),
        (failing(b"404 Not Found"), "no such version"),
        (Raw((sized(b'{"result": 5}'),)), "something unexpected"),
    ],
    ids=["away", "hangs", "500", "404", "nonsense"],
)
def test_a_search_that_fails_is_a_503_and_costs_nothing(gateway: Assembled, fault: Raw, said: str) -> None:
    SCRIPTED.searching = fault
    who = caller()
    outcome = gateway.ask("What does the KV cache do?", retrieve=Retrieval("docs"), who=who)
    assert isinstance(outcome.error, Unready)
    wire = Wire.of(outcome.error, outcome.call.request_id)
    assert (wire.status, wire.type, wire.code, wire.retry) == (503, "overloaded_error", "index_unavailable", True)
    assert "'docs' cannot be searched just now" in wire.message
    assert said in wire.message
    assert gateway.chats() == []
    assert gateway.holds() == []
    assert {balance.held for balance in gateway.balances(who).values()} == {0}
    assert gateway.runtime.faults() == []


def test_an_empty_collection_is_no_failure(gateway: Assembled) -> None:
    SCRIPTED.searching = Raw((sized(b'{"result": {"points": []}, "status": "ok", "time": 0.0}'),))
    outcome = gateway.ask("What does the KV cache do?", retrieve=Retrieval("docs"))
    assert outcome.closed.gateway["retrieve"] == {
        "collection": "docs",
        "version": "v1",
        "passages": 0,
        "nothing_relevant": True,
    }
