"""How gateways are started: on ports that are free, and given up with their own words."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.peers.ours import set_up
from benchmarks.peers.recipe import Place, Recipe
from benchmarks.peers.start import NotStarted, started
from gateway import settings

ANSWERS = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200 if self.headers["authorization"] == "Bearer good" else 401)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, tmp_path / "peers", backend=1)


def recipe(place: Place, program: str, key: str = "good") -> Recipe:
    start = place.run("some", (sys.executable, "-c", program, "{port}", "{other}"), {})
    return Recipe("some", start, {"authorization": f"Bearer {key}"})


def test_a_gateway_has_started_when_it_answers_a_chat(place: Place) -> None:
    with ExitStack() as stack:
        process, seconds = started(recipe(place, ANSWERS), [0], stack)
        assert seconds > 0
        assert not process.ended
        assert len(list(process.threads())) == 1
    assert process.ended


def test_a_gateway_that_ends_is_given_up_with_what_it_said(place: Place) -> None:
    said = "import sys; print('the port', sys.argv[1] != sys.argv[2], 'is bad'); sys.exit(3)"
    with ExitStack() as stack, pytest.raises(NotStarted, match="the port True is bad"):
        started(recipe(place, said), [0], stack)


def test_a_program_that_is_not_there_does_not_start(place: Place) -> None:
    nothing = Recipe("some", place.run("some", (place.peers / "no-such-program",), {}), {})
    with ExitStack() as stack, pytest.raises(NotStarted, match="no-such-program"):
        started(nothing, [0], stack)


@pytest.mark.parametrize("plain", ["off", "exact", "semantic"])
def test_our_settings_are_settings(place: Place, plain: str) -> None:
    found = settings.load(set_up(place, plain) / "gateway.toml")
    assert found.cache.plain == plain
    assert found.models["tiny"].tokenizer is not None
    assert found.models["tiny"].tokenizer.is_dir()
