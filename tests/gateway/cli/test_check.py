"""check: every fault on its own line, and nothing started."""

from pathlib import Path

from tests.fakes.backend import FakeBackend
from tests.fakes.background import running
from tests.fakes.raw import raw_server
from tests.gateway.cli.conftest import ROOT, Tollgate
from tests.gateway.engines import AWAY, Scripted


def test_a_whole_set_up_has_no_faults(tollgate: Tollgate, config: Path) -> None:
    tollgate("index", "build", "--config", config)
    with running(FakeBackend()) as fake:
        config.write_text(config.read_text().replace("http://127.0.0.1:1", fake.url))
        ran = tollgate("check", "--config", config)
    assert (ran.code, ran.out) == (0, "")


def test_every_fault_has_its_line(tollgate: Tollgate, config: Path) -> None:
    ran = tollgate("check", "--config", config)
    assert ran.code == 1
    first, second = ran.out.splitlines()
    assert "collection 'docs' does not exist" in first
    assert "backend 'local' at http://127.0.0.1:1" in second


def test_offline_the_backends_are_not_asked(tollgate: Tollgate, config: Path) -> None:
    tollgate("index", "build", "--config", config)
    assert tollgate("check", "--offline", "--config", config).code == 0


TEMPLATE = """---
description: d
model: absent
retrieve: {collection: nowhere}
variables: {q: {type: string}}
question: q
---
{% message role="user" %}{{ q }}{% endmessage %}
"""


def test_names_that_nothing_bears_are_faults(tollgate: Tollgate, config: Path, tmp_path: Path) -> None:
    templates = tmp_path / "prompts" / "templates"
    templates.mkdir(parents=True)
    (templates / "good.md.j2").write_text(TEMPLATE)
    config.write_text(config.read_text().replace(str(ROOT / "prompts"), "prompts"))
    out = tollgate("check", "--offline", "--config", config).out
    assert "[models.absent]" in out
    assert "[retrieve.nowhere]" in out
    (templates / "bad.md.j2").write_text(TEMPLATE.replace("model:", "colour:"))
    assert "bad.md.j2:3: colour" in tollgate("check", "--offline", "--config", config).out


def test_a_served_name_that_the_backend_does_not_have_is_a_fault(tollgate: Tollgate, config: Path) -> None:
    with running(FakeBackend()) as fake:
        text = config.read_text().replace("http://127.0.0.1:1", fake.url)
        config.write_text(text.replace('backends = ["local"]', 'backends = ["local"]\nserved = "huge"'))
        out = tollgate("check", "--config", config).out
    assert "backend 'local' serves tiny, not 'huge'" in out


def test_a_secret_that_is_not_set_is_a_fault(tollgate: Tollgate, config: Path) -> None:
    url = 'url = "http://127.0.0.1:1"'
    config.write_text(config.read_text().replace(url, f'{url}\napi_key_env = "TOLLGATE_TEST_ABSENT"'))
    ran = tollgate("check", "--config", config)
    assert (ran.code, "TOLLGATE_TEST_ABSENT is not set" in ran.out) == (1, True)


GUARDS = """
[guard.personal]
kind = "pii"
entities = ["SHOE_SIZE"]
[guard.own]
kind = "webhook"
url = "http://127.0.0.1:1/guard"
key_env = "TOLLGATE_TEST_ABSENT"
[guard.words]
kind = "words"
patterns = ["(a"]
"""


def test_a_guard_that_cannot_be_made_is_a_fault(tollgate: Tollgate, config: Path) -> None:
    config.write_text(config.read_text() + GUARDS)
    lines = tollgate("check", "--offline", "--config", config).out.splitlines()
    personal, own, words = (line for line in lines if line.startswith("[guard."))
    assert "SHOE_SIZE" in personal
    assert "EMAIL_ADDRESS" in personal
    assert "TOLLGATE_TEST_ABSENT is not set" in own
    assert "(a" in words


def test_a_collection_in_an_engine_is_asked_for_there(tollgate: Tollgate, config: Path) -> None:
    text, scripted = config.read_text(), Scripted()
    with running(FakeBackend()) as fake, running(raw_server(scripted)) as server:
        text = text.replace("http://127.0.0.1:1", fake.url).replace(
            'path = "docs"', f'path = "docs"\nengine = "{server.url}"'
        )
        config.write_text(text)
        assert tollgate("check", "--config", config).code == 0
        scripted.version = None
        assert "run `tollgate index publish`" in tollgate("check", "--config", config).out
        scripted.fault = AWAY
        assert f"collection 'docs' at {server.url}: Qdrant does not" in tollgate("check", "--config", config).out
        assert tollgate("check", "--config", config, "--offline").code == 0
        config.write_text(text + '\nengine_key_env = "TOLLGATE_TEST_ABSENT"\n')
        (line,) = tollgate("check", "--config", config).out.splitlines()
    assert line.startswith("collection 'docs': the environment variable TOLLGATE_TEST_ABSENT is not set")


def test_faults_of_the_settings_have_their_lines(tollgate: Tollgate, config: Path) -> None:
    config.write_text(config.read_text() + "\n[check]\nround = 3\n[cache]\nsample = 2\n")
    ran = tollgate("check", "--config", config)
    assert ran.code == 1
    assert "check.round: unknown key" in ran.err
    assert "cache.sample" in ran.err


def test_a_shared_prompt_that_is_none_is_a_fault(tollgate: Tollgate, config: Path) -> None:
    config.write_text(config.read_text() + '\n[cache]\nshared = ["anser"]\n')
    ran = tollgate("check", "--config", config)
    assert (ran.code, "[cache] shared: there is no prompt 'anser'" in ran.out) == (1, True)


def test_a_guard_of_tenants_that_do_not_exist_is_warned_of(tollgate: Tollgate, config: Path) -> None:
    """It would guard nobody, in silence."""
    tollgate("index", "build", "--config", config)
    tollgate("tenants", "create", "acme", "--config", config)
    words = '\n[guard.{}]\nkind = "words"\nwords = ["x"]\ntenants = {}\n'
    config.write_text(config.read_text() + words.format("some", '["acme", "acmee"]') + words.format("none", "[]"))
    ran = tollgate("check", "--offline", "--config", config)
    assert ran.code == 0
    warnings = [line for line in ran.err.splitlines() if "[guard." in line]
    assert warnings == [
        "warning: [guard.some] tenants: there is no tenant 'acmee'",
        "warning: [guard.none] tenants: it names none, so it looks at nothing; leave it out for all tenants",
    ]
