"""The settings file: every fault with the line it is about, paths from its folder, secrets from outside."""

from pathlib import Path

import pytest

from gateway.settings import Settings, SettingsError, load, secret

GOOD = """\
[server]
port = 9000

[state]
url = "sqlite:///data/state.db"

[backends.gpu]
url = "http://127.0.0.1:8000"
api_key_env = "GPU_KEY"

[models.small]
backends = ["gpu"]
tokenizer = "models/small"

[models.large]
backends = ["gpu"]
fallback = ["small"]

[build]
prompts = "prompts"

[retrieve.docs]
path = "indexes/docs"
source = "documents"

[prices.small]
input = 0.5
output = 1.5
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(GOOD)
    return path


def faults(file: Path, text: str) -> list[str]:
    """The faults of a file, without its path."""
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert str(caught.value).splitlines() == caught.value.faults
    assert all(fault.startswith(f"{file}:") for fault in caught.value.faults)
    return [fault.removeprefix(f"{file}:") for fault in caught.value.faults]


def test_a_good_file_is_read_whole(file: Path) -> None:
    settings = load(file)
    assert (settings.server.port, settings.server.host) == (9000, "127.0.0.1")
    assert settings.models["large"].fallback == ["small"]
    assert settings.prices["small"].output == 1.5
    assert settings.default_model() == "small"


def test_an_empty_file_is_all_defaults(file: Path) -> None:
    file.write_text("")
    assert load(file).server == Settings().server
    assert load(file).default_model() is None


def test_relative_paths_are_those_of_the_files_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    settings, folder = load(file), file.parent
    assert settings.state.url == f"sqlite:///{folder}/data/state.db"
    assert settings.models["small"].tokenizer == folder / "models" / "small"
    assert settings.models["large"].tokenizer is None
    assert settings.build.prompts == folder / "prompts"
    assert (settings.retrieve["docs"].path, settings.retrieve["docs"].source) == (
        folder / "indexes" / "docs",
        folder / "documents",
    )


@pytest.mark.parametrize("url", ["sqlite:////var/lib/state.db", "sqlite://:memory:", "redis://host:6379/0"])
def test_a_url_that_is_not_relative_stays(file: Path, url: str) -> None:
    file.write_text(GOOD.replace("sqlite:///data/state.db", url))
    assert load(file).state.url == url


def test_an_absolute_path_stays(file: Path) -> None:
    file.write_text(GOOD.replace('"indexes/docs"', '"/srv/docs"'))
    assert load(file).retrieve["docs"].path == Path("/srv/docs")


def numbered(before: str, after: str) -> tuple[str, int]:
    """The good file with one text changed, and the line of the change."""
    assert GOOD.count(before) == 1
    line = GOOD[: GOOD.index(before)].count("\n") + after.count("\n") + 1
    return GOOD.replace(before, after), line


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("port = 9000", "prot = 9000", "server.prot: unknown key"),
        ("port = 9000", "port = 70000", "server.port: Input should be less than or equal to 65535"),
        ("port = 9000", 'port = "many"', "server.port: Input should be a valid integer"),
        ('fallback = ["small"]', 'fallback = ["smal"]', "models.large.fallback: no [models.smal]"),
        ('fallback = ["small"]', 'fallback = ["small"]\nwindow = 0', "models.large.window: Input should be greater"),
        ('fallback = ["small"]', 'fallback = ["small"]\nservd = "x"', "models.large.servd: unknown key"),
        ('tokenizer = "models/small"', 'tokeniser = "x"', "models.small.tokeniser: unknown key"),
        ('url = "http://127.0.0.1:8000"', 'url = "127.0.0.1:8000"', "backends.gpu.url: String should match"),
        ("[prices.small]", "[prices.smal]", "prices.smal: no [models.smal]"),
        ("output = 1.5", "output = -1", "prices.small.output: Input should be greater"),
        ("output = 1.5", "", "prices.small.output: Field required"),
        ("[build]", "[builds]", "builds: unknown key"),
        ('source = "documents"', 'rerank = "cross"', "retrieve.docs.rerank: no [models.cross]"),
        ('source = "documents"', 'rerank = "small"', "retrieve.docs.rerank: [models.small] is none that scores"),
        ('source = "documents"', 'dimensions = 8\nembedder = "x"', "retrieve.docs.embedder: no [models.x]"),
        (
            'source = "documents"',
            'dimensions = 8\nembedder = "small"',
            "retrieve.docs.embedder: [models.small] makes no embeddings",
        ),
        ('source = "documents"', "floor = 1.5", "retrieve.docs.floor: Input should be less than or equal to 1"),
        (
            'source = "documents"',
            'language = "xx"',
            "retrieve.docs.language: Value error, no stemmer for language 'xx'",
        ),
        ('source = "documents"', 'tenants = ["a b"]', "retrieve.docs.tenants.0: String should match"),
        ('source = "documents"', 'engine = "qdrant:6333"', "retrieve.docs.engine: String should match"),
        ('source = "documents"', "rules = [{access = ['hr']}]", "retrieve.docs.rules.0.match: Field required"),
        ("[state]", '[preflight]\ndefault_model = "tiny"\n[state]', "preflight.default_model: no [models.tiny]"),
    ],
)
def test_a_fault_is_told_with_its_line_and_its_name(file: Path, before: str, after: str, fault: str) -> None:
    text, line = numbered(before, after)
    if fault.startswith("prices") and "Field required" in fault:
        line -= 2  # it is missing: its section's header is named
    if after.startswith("[preflight]"):
        line -= 1
    (told,) = faults(file, text)
    assert told.startswith(f"{line}: {fault}"), told


def test_a_section_is_not_mistaken_for_another_of_the_same_name(file: Path) -> None:
    text = (
        '[models.large]\nbackends = ["x"]\n\n[backends.small]\nurl = "http://x"\n\n[models.small]\nbackends = ["y"]\n'
    )
    assert faults(file, text) == [
        "2: models.large.backends: no [backends.x]",
        "8: models.small.backends: no [backends.y]",
    ]


def test_a_key_is_looked_for_in_its_own_section_only(file: Path) -> None:
    """`window` is missing from the first section and wrong in the second."""
    text = (
        '[backends.a]\nurl = "http://x"\n\n[models.one]\nbackends = ["a"]\nmax_output = 1\n\n'
        "[models.two]\nbackends = []\nmax_output = 0\n\n[models.three]\nmax_output = 5\n"
    )
    told = faults(file, text)
    assert [fault.split(": ")[:2] for fault in told] == [
        ["9", "models.two.backends"],
        ["10", "models.two.max_output"],
        ["12", "models.three.backends"],
    ]


def test_several_faults_are_all_told_at_once(file: Path) -> None:
    text = GOOD.replace("port = 9000", "prot = 9000").replace("input = 0.5", "input = -0.5")
    assert [fault.split(": ")[1] for fault in faults(file, text)] == ["server.prot", "prices.small.input"]


def test_names_of_quoted_keys_and_inline_tables_are_found(file: Path) -> None:
    text = '[models]\n"my/model" = { backends = ["none"] }\n'
    assert faults(file, text) == ["2: models.my/model.backends: no [backends.none]"]


def test_what_is_no_toml_says_where(file: Path) -> None:
    file.write_text("[server]\nport = \n")
    with pytest.raises(SettingsError, match=r"not TOML.*line 2"):
        load(file)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"No such file.*--config"):
        load(tmp_path / "gateway.toml")


def test_bytes_that_are_no_text_are_refused(file: Path) -> None:
    file.write_bytes(b'[server]\nhost = "\xff"\n')
    with pytest.raises(SettingsError, match="not TOML"):
        load(file)


def test_models_that_make_embeddings_are_told_from_those_that_write(file: Path) -> None:
    embedding = GOOD.replace("[models.small]\n", "[models.small]\nembeddings = true\n")
    file.write_text(embedding + "[prices.all-MiniLM-L6-v2]\ninput = 0.1\noutput = 0\n")
    settings = load(file)
    assert [settings.embeds(name) for name in ("small", "large", "all-MiniLM-L6-v2", "unknown")] == [
        True, False, True, False,
    ]  # fmt: skip
    assert settings.default_model() == "large"


def test_models_that_score_write_nothing(file: Path) -> None:
    text = GOOD.replace("[models.small]\n", "[models.small]\nscores = true\n")
    file.write_text(text + '[cache]\njudge = "large"\nverifier = "small"\n')
    settings = load(file)
    assert [settings.writes(name) for name in ("small", "large", "all-MiniLM-L6-v2")] == [False, True, False]
    assert settings.default_model() == "large"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ('judge = "smal"', "cache.judge: no [models.smal]"),
        ('verifier = "smal"', "cache.verifier: no [models.smal]"),
        ('verifier = "small"', "cache.verifier: [models.small] is none that scores: set its `scores = true`"),
        ('judge = "cross"', "cache.judge: [models.cross] writes no text"),
        ("judge_share = 0.0", "cache.judge_share: Input should be greater than 0"),
        ("verifier_s = 0", "cache.verifier_s: Input should be greater than 0"),
    ],
)
def test_whom_the_cache_asks_must_be_there_and_able(file: Path, said: str, fault: str) -> None:
    text = GOOD + f'\n[models.cross]\nbackends = ["gpu"]\nscores = true\n\n[cache]\n{said}\n'
    (told,) = faults(file, text)
    assert told.startswith(f"{len(text.splitlines())}: {fault}"), told


def test_an_alias_of_the_own_embedders_name_hides_it(file: Path) -> None:
    file.write_text(GOOD.replace("models.large", "models.all-MiniLM-L6-v2"))
    assert not load(file).embeds("all-MiniLM-L6-v2")


def test_a_collection_in_an_engine_has_a_name_that_the_engine_takes_and_a_key_only_then(file: Path) -> None:
    engine = 'engine = "http://qdrant:6333"\nengine_key_env = "KEY"'
    file.write_text(GOOD.replace('source = "documents"', engine))
    assert (load(file).retrieve["docs"].engine, load(file).retrieve["docs"].engine_key_env) == (
        "http://qdrant:6333",
        "KEY",
    )
    slashed = GOOD.replace('source = "documents"', engine).replace("retrieve.docs", 'retrieve."hr/docs"')
    assert "no '/' in their names" in faults(file, slashed)[0]
    (keyed,) = faults(file, GOOD.replace('source = "documents"', 'engine_key_env = "KEY"'))
    assert "names the key of an `engine`" in keyed


def test_settings_cannot_be_changed(file: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(file).server.port = 1  # type: ignore[misc]


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPU_KEY", "the secret")
    assert secret("GPU_KEY") == "the secret"
    assert secret(None) is None
    for value in ("", None):
        monkeypatch.delenv("GPU_KEY") if value is None else monkeypatch.setenv("GPU_KEY", value)
        with pytest.raises(SettingsError, match="GPU_KEY is not set"):
            secret("GPU_KEY")


def test_a_collection_is_described_whole(file: Path) -> None:
    described = """source = "documents"
tenants = ["acme"]
language = "de"
floor = 0.2
rerank = "cross"
rerank_s = 0.25

[[retrieve.docs.rules]]
match = "hr/**"
access = ["hr"]
metadata = {team = "people"}

[[retrieve.docs.rules]]
match = "**/*.md"

[models.cross]
backends = ["gpu"]
scores = true
"""
    file.write_text(GOOD.replace('source = "documents"\n', described))
    docs = load(file).retrieve["docs"]
    assert (docs.tenants, docs.language, docs.floor, docs.rerank, docs.rerank_s) == (["acme"], "de", 0.2, "cross", 0.25)
    hr, rest = docs.rules
    assert (hr.match, hr.access, hr.metadata) == ("hr/**", ["hr"], {"team": "people"})
    assert (rest.match, rest.access, rest.metadata) == ("**/*.md", [], {})


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ('kind = "pii"\nallow = ["a.com"]', "3: guard.g.allow: unknown key"),
        ('kind = "urls"\nallow = "a.com"', "3: guard.g.allow: Input should be a valid tuple"),
        ('action = "block"', "1: guard.g: Unable to extract tag using discriminator 'kind'"),
        ('kind = "magic"', "1: guard.g: Input tag 'magic' found using 'kind' does not match any of the expected tags"),
        ('kind = "webhook"', "1: guard.g.url: Field required"),
        ('kind = "webhook"\nurl = "http://a"\nevery = 3', '4: guard.g.every: Value error, "answer", "sentence", or'),
        ('kind = "injection"\nmodel = "absent"', "3: guard.g.model: no [models.absent]"),
        ('kind = "secrets"\non = []', "3: guard.g.on: Tuple should have at least 1 item"),
    ],
)
def test_a_guards_section_has_the_keys_of_its_kind(file: Path, section: str, fault: str) -> None:
    (found,) = faults(file, f"[guard.g]\n{section}\n")
    assert found.startswith(fault)


def test_guards_keep_the_order_of_the_file(file: Path) -> None:
    file.write_text("".join(f'[guard.{name}]\nkind = "secrets"\n' for name in "cab"))
    assert list(load(file).guard) == ["c", "a", "b"]
