"""The table of stops: every cause with every remedy that makes sense for it, buffered and streamed in both modes.

Each row says what the client sees, what is asked of the engine, what is billed and what the trace tells. The scripted
backend counts ten tokens a message and serves both aliases, `small` and its fallback `other`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

import pytest

from gateway.settings import Settings
from gateway.stopping import FINAL, WHOLE, Cause, Remedy, checked_remedies
from tests.fakes.backend import JSON, FakeBackend, Script, Seen, said
from tests.fakes.background import running
from tests.fakes.said import called, reasoned, silent
from tests.gateway.api.conftest import ROOT, Gateway, gateway_with

WINDOW, PER_MESSAGE, CEILING = 4096, 10, 2
TURNS = [{"role": role, "content": "Hi"} for role in ("user", "assistant", "user", "assistant", "user")]
PROMPT = PER_MESSAGE * len(TURNS)
TOOLS = [{"type": "function", "function": {"name": "f"}}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
STRUCTURED = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
GOOD = '{"a": 1}'


@dataclass(frozen=True)
class Stop:
    """How a cause comes about: the script that ends so, its output tokens, and what the request adds.

    `status` and `code` are what a client is told where it is refused; `verdict` what it is told where it is given.
    """

    script: tuple[bytes, ...]
    output: int
    status: int
    code: str
    verdict: str
    body: dict[str, Any] = field(default_factory=dict)
    shows: bool = True  # something of it is seen in a stream before its end


STOPS: dict[Cause, Stop] = {
    "ceiling": Stop(said("x", "y", finish="length"), 2, 502, "output_truncated", "truncated"),
    "window": Stop(
        said("x", "y", finish="length"), 2, 502, "output_truncated", "truncated", {"max_completion_tokens": WINDOW}
    ),
    "tool_cut": Stop(
        called("f", '{"a": ', "tool_calls"),
        10,
        502,
        "output_truncated",
        "truncated",
        {"tools": TOOLS, "max_completion_tokens": 10},
    ),
    "reasoning": Stop(reasoned("hm", "hm"), 2, 502, "output_truncated", "truncated"),
    "empty": Stop(silent(), 1, 502, "output_invalid", "failed", shows=False),
    "repetition": Stop(said("x", "x", finish="repetition"), 2, 502, "output_invalid", "truncated"),
    "content_filter": Stop(said("x", "y", finish="content_filter"), 2, 400, "content_filter", "truncated"),
    "abort": Stop(said("x", "y", finish="abort"), 2, 502, "backend_unavailable", "failed"),
    "error": Stop(said("x", "y", finish="gone"), 2, 502, "backend_unavailable", "failed"),
    "invalid": Stop(
        said('{"a": "x"}'),
        1,
        502,
        "output_invalid",
        "failed",
        {"response_format": STRUCTURED, "max_completion_tokens": 20},
    ),
}
REMEDIES: tuple[Remedy, ...] = ("return", "flag", "retry", "continue", "shorten", "repair", "fallback", "error")


def sensible(cause: Cause, remedy: Remedy) -> bool:
    try:
        checked_remedies({cause: (remedy,)})
    except ValueError:
        return False
    return True


ROWS = [(cause, remedy) for cause in STOPS for remedy in REMEDIES if sensible(cause, remedy)]


async def _counted(seen: Seen) -> Script:
    count = PER_MESSAGE * len(seen.body.get("messages") or [""])
    return Script((json.dumps({"count": count, "max_model_len": WINDOW, "tokens": []}).encode(),), headers=JSON)


@pytest.fixture(scope="module")
def stops(admin_key: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("stops")
    with running(FakeBackend()) as fake:
        fake.answers["/tokenize"] = _counted
        model = {"backends": ["fake"], "max_output": 64}
        own = Settings.model_validate(
            {
                "state": {"url": f"sqlite:///{folder}/state.db"},
                "models": {"small": model | {"fallback": ["other"]}, "other": model},
                "backends": {"fake": {"url": fake.url}},
                "build": {"prompts": ROOT / "prompts"},
                "prices": {"small": {"input": 1.0, "output": 2.0}, "other": {"input": 1.0, "output": 2.0}},
            }
        )
        with running(gateway_with(own, fake)) as gateway:
            yield gateway


@dataclass(frozen=True)
class Came:
    """What a client got: the status, the body or the last event, and the text of a stream's deltas."""

    status: int
    last: dict[str, Any]
    text: str
    done: bool
    request_id: str

    @property
    def code(self) -> str | None:
        return (self.last.get("error") or {}).get("code")


def asked(gateway: Gateway, key: str, cause: Cause, **changes: Any) -> Came:
    options = {"cache": "skip"} | changes.pop("options")
    body = {"model": "small", "messages": TURNS, "max_completion_tokens": CEILING} | STOPS[cause].body
    answer = gateway.chat(body | changes | {"gateway": options}, key)
    request_id = answer.headers["x-request-id"]
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return Came(answer.status_code, answer.json(), "", False, request_id)
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    chunks = [json.loads(line) for line in lines if line != "[DONE]"]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk.get("choices", ())]
    text = "".join(delta.get("content") or "" for delta in deltas)
    return Came(answer.status_code, chunks[-1], text, lines[-1] == "[DONE]", request_id)


def told(came: Came) -> dict[str, Any]:
    return dict(came.last["gateway"]["stop"])


def attempts(gateway: Gateway, came: Came) -> list[dict[str, Any]]:
    stages = row(gateway, came)["detail"]["stages"]
    return [stage["facts"] for stage in stages if stage["stage"] == "attempt"]


def row(gateway: Gateway, came: Came) -> dict[str, Any]:
    found: dict[str, Any] = gateway.admin("GET", f"/requests/{came.request_id}").json()
    return found | {"detail": json.loads(found["detail"]) if isinstance(found["detail"], str) else found["detail"]}


def test_the_table_has_every_cause_that_needs_a_remedy() -> None:
    assert STOPS.keys() | WHOLE == set(get_args(Cause))
    assert set(REMEDIES) == set(get_args(Remedy))


@pytest.mark.parametrize("way", ["buffered", "streamed", "shown"])
@pytest.mark.parametrize(("cause", "remedy"), ROWS, ids=[f"{cause}-{remedy}" for cause, remedy in ROWS])
def test_every_stop_has_what_its_remedy_says(stops: Gateway, cause: Cause, remedy: Remedy, way: str) -> None:
    """`shown`: a stream in `verdict` mode, of which nothing can be taken back."""
    stop, key = STOPS[cause], stops.key("tokens/day=1000000")
    taken = remedy not in FINAL and remedy != "continue"
    again = remedy not in FINAL and not (taken and way == "shown" and stop.shows)
    stops.fake.plan(Script(stop.script), *([Script(said(GOOD if cause == "invalid" else "z"))] if again else []))
    before = len(stops.fake.chats())
    options = {"on_stop": {cause: remedy}} | ({"mode": "verdict"} if way == "shown" else {})
    came = asked(stops, key, cause, options=options, stream=way != "buffered")
    sent, rows = stops.fake.chats()[before:], row(stops, came)

    assert len(sent) == 1 + again
    assert rows["output_tokens"] == stop.output + (1 if again else 0)
    assert stops.balance(key) == (rows["input_tokens"] + rows["output_tokens"], 0)
    traced = attempts(stops, came)
    assert traced[0]["cause"] == ("stop" if remedy == "continue" else cause)
    assert [one["remedy"] for one in traced] == [None, *([remedy] if again and taken else [])]

    if again:
        assert came.status == 200
        assert told(came)["verdict"] == "complete"
        assert told(came)["remedies"] == [remedy]
        assert came.done == (way != "buffered")
        whole = GOOD if cause == "invalid" else "xyz" if remedy == "continue" else "z"
        shown = came.text if way != "buffered" else came.last["choices"][0]["message"]["content"]
        assert shown == whole
    elif remedy in ("return", "flag"):
        assert came.status == 200
        assert (told(came)["verdict"], told(came)["cause"], told(came)["remedies"]) == (stop.verdict, cause, [])
        assert came.last["gateway"]["checks"]["flags"] == ([cause] if remedy == "flag" else [])
        assert came.done == (way != "buffered")
    else:
        assert (came.status, came.code, came.done) == (stop.status if way == "buffered" else 200, stop.code, False)
        assert (rows["status"], rows["error"], rows["stop"]) == (stop.status, stop.code, "failed")
