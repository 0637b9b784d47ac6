"""Reload in a fleet of workers: by signal, by the admin call, and what a new worker starts with."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.gateway.cli.served import Gateway, served
from tests.gateway.live.prompts import text
from tests.gateway.waiting import waited

ADMIN = "admin-key-of-the-tests"
PATH = "/v1/chat/completions"


class Fleet:
    """Two workers whose prompts and settings a test changes."""

    def __init__(self, gateway: Gateway, prompts: Path) -> None:
        self.gateway, self.prompts = gateway, prompts
        self.key = gateway.key()

    def write(self, said: str) -> None:
        file = self.prompts / "templates" / "say.md.j2"
        file.with_suffix(".new").write_text(said)
        file.with_suffix(".new").replace(file)

    def settings(self, *changes: tuple[str, str]) -> None:
        whole = self.gateway.config.read_text()
        for before, after in changes:
            assert before in whole
            whole = whole.replace(before, after)
        self.gateway.config.write_text(whole)

    def reload(self) -> httpx2.Response:
        headers = {"authorization": f"Bearer {ADMIN}"}
        return httpx2.post(f"{self.gateway.url}/admin/reload", headers=headers, timeout=60)

    def hang_up(self) -> None:
        self.gateway.running.process.send_signal(signal.SIGHUP)

    def ask(self) -> str | None:
        """What its backend is sent by whichever worker answers; None where that does not know the prompt."""
        body = {"prompt": {"id": "say", "variables": {"q": "x"}}, "gateway": {"cache": "skip"}}
        headers = {"authorization": f"Bearer {self.key}"}
        answer = httpx2.post(f"{self.gateway.url}{PATH}", json=body, headers=headers, timeout=60)
        assert answer.status_code in (200, 404), answer.text
        return str(self.gateway.fake.chats()[-1].body["messages"][-1]["content"]) if answer.is_success else None

    def all_say(self, said: str | None) -> bool:
        """Whether all workers do, each asked at least once."""
        since, found = len(self.gateway.answered(PATH)), set[Any]()
        for _ in range(40):
            found.add(self.ask())
            if {pid for pid, _ in self.gateway.answered(PATH)[since:]} >= set(self.gateway.workers()):
                break
        return found == {said}

    def told(self, line: str) -> int:
        return self.gateway.running.log.read_text().count(line)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "prompts" / "templates").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLLGATE_ADMIN_KEY", ADMIN)
        with served(folder, "--workers", 2) as gateway:
            yield Fleet(gateway, folder / "prompts")


def test_a_fleet_follows_what_is_on_disk(fleet: Fleet) -> None:
    """One story, for a fleet is slow to start."""
    assert fleet.all_say(None)

    # The admin call takes up settings too, and all workers follow.
    fleet.write(text("first"))
    before = fleet.gateway.config.read_text().split('prompts = "')[1].split('"')[0]
    fleet.settings((before, str(fleet.prompts)))
    answer = fleet.reload()
    assert answer.status_code == 200, answer.text
    assert answer.json()["changed"]
    assert answer.json()["settings"] == ["build"]
    assert "say" in answer.json()["prompts"]["added"]
    waited(lambda: fleet.all_say("first: x"))

    # SIGHUP does; the parent passes it on.
    fleet.write(text("second"))
    fleet.hang_up()
    waited(lambda: fleet.all_say("second: x"))

    # What is broken is told by each worker, and changes nothing.
    fleet.write(text("third", head="---\nno_such_key: 1\n"))
    fleet.hang_up()
    waited(lambda: fleet.told("not reloaded, and what was loaded before goes on") == 2)
    assert fleet.all_say("second: x")
    refused = fleet.reload()
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "reload_refused"
    assert any("no_such_key" in fault for fault in refused.json()["faults"])
    ready = httpx2.get(f"{fleet.gateway.url}/health/ready", timeout=60)
    assert ready.status_code == 200
    assert any(line.startswith("reload: prompts: ") for line in ready.json()["warnings"])

    # What needs a restart is refused by name.
    fleet.write(text("third"))
    fleet.settings(("[build]", "[server]\nport = 1\n[build]"))
    refused = fleet.reload()
    assert refused.status_code == 409
    assert refused.json()["faults"] == ["[server] port has changed, which needs a restart"]
    assert fleet.all_say("second: x")

    # A worker that replaces another starts with what is on disk, where that can be used.
    fleet.settings(("[server]\nport = 1\n", ""))
    os.kill(fleet.gateway.workers()[0], signal.SIGKILL)
    waited(lambda: len(fleet.gateway.workers()) == 2)
    waited(lambda: fleet.told("Application startup complete") >= 3)
    fleet.hang_up()
    waited(lambda: fleet.all_say("third: x"))


def test_only_the_admin_key_reloads(fleet: Fleet) -> None:
    headers = {"authorization": f"Bearer {fleet.key}"}
    assert httpx2.post(f"{fleet.gateway.url}/admin/reload", headers=headers, timeout=60).status_code == 401


def test_one_process_alone_reloads_on_sighup(tmp_path: Path) -> None:
    with served(tmp_path) as gateway:
        fleet = Fleet(gateway, tmp_path / "prompts")
        (fleet.prompts / "templates").mkdir(parents=True)
        before = gateway.config.read_text().split('prompts = "')[1].split('"')[0]
        fleet.settings((before, str(fleet.prompts)))
        fleet.write(text("first"))
        assert fleet.ask() is None
        fleet.hang_up()
        waited(lambda: fleet.ask() == "first: x")
        assert gateway.running.stop(signal.SIGTERM) == 0
