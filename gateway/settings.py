"""One TOML file, parsed once into frozen models that refuse what they do not know. Secrets come from the environment.

Sections carry the stages' names; a class receives its own section and nothing else. Relative paths are relative to the
file's folder. Knows no defaults that a reader cannot see here.

Raises `SettingsError`: every fault on its own line, with the line of the file it is about.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gateway.toml_lines import line_of

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")]
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]

OWN_EMBEDDER = "all-MiniLM-L6-v2"  # the model that the gateway itself runs; it may have a price


class SettingsError(Exception):
    """Raised when the file cannot be used. `faults` has one line per fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Server(Section):
    """Where it listens and what it takes. 1 MiB bounds what one body can cost to parse (about 36 MB of objects).

    Of several workers each takes `max_requests`; so it is with a backend's `max_connections`.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    max_body_bytes: Positive = 1024 * 1024
    max_depth: Positive = 32
    max_messages: Positive = 256
    max_requests: Positive = 512  # in flight at once; more are refused early with 503
    grace_s: Seconds = 30.0  # how long a stopping server lets streams finish


class StateSection(Section):
    """Where state is kept. With Redis, `ledger` is this machine's own file: the record of what it admitted."""

    url: str = "sqlite:///.tollgate/state.db"
    ledger: str = Field(default="sqlite:///.tollgate/ledger.db", pattern=r"^sqlite:///.")


class Backend(Section):
    """One vLLM server. `api_key_env` names the environment variable that holds its key."""

    url: str = Field(pattern=r"^https?://")
    api_key_env: str | None = None
    connect_s: Seconds = 5.0
    first_token_s: Seconds = 120.0
    between_tokens_s: Seconds = 60.0
    total_s: Seconds = 600.0
    max_connections: Positive = 256


class Model(Section):
    """An alias. `served`: its name at the backends (default: the first they serve); `fallback`: other aliases.

    `embeddings`: it makes those, and writes no text.
    """

    backends: list[Name] = Field(min_length=1)
    served: str | None = None
    tokenizer: Path | None = None
    window: Positive | None = None  # tokens; default: what the backend reports
    max_output: Positive = 512  # tokens, when the request names no ceiling
    fallback: list[Name] = []
    embeddings: bool = False


class Build(Section):
    prompts: Path = Path("prompts")


class Preflight(Section):
    default_model: Name | None = None


class Cache(Section):
    """`plain` is the mode of requests without a template; `threshold` the least cosine similarity of a semantic hit.

    0.95: on public question pairs wrong hits fall below 2% of look-alikes there (QQP 1.9%, medical questions 0.0%).
    """

    plain: Literal["off", "exact", "semantic"] = "exact"
    threshold: float = Field(default=0.95, ge=0.0, le=1.0)
    ttl_s: Seconds = 86400.0
    max_partitions: Positive = 256


class Retrieve(Section):
    """One collection: `source` is indexed into `path`; `max_tokens` bounds what its passages may add to a prompt."""

    path: Path
    source: Path | None = None
    max_tokens: Positive = 1200


class Route(Section):
    attempts: Positive = 3  # backends tried before the first event, at most


class Check(Section):
    """`rounds` bounds how often `continue` asks for more; `on_length` is the policy of requests that name none."""

    on_length: Literal["error", "return", "retry", "continue"] = "return"
    rounds: Positive = 3


class Price(Section):
    """US dollars per million tokens. `cached` is for input found in the engine's prefix cache (default: as input)."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)


class Telemetry(Section):
    otlp_endpoint: str | None = None
    service_name: str = "tollgate"


class Settings(Section):
    """The whole file."""

    server: Server = Server()
    state: StateSection = StateSection()
    models: dict[Name, Model] = {}
    backends: dict[Name, Backend] = {}
    build: Build = Build()
    preflight: Preflight = Preflight()
    cache: Cache = Cache()
    retrieve: dict[Name, Retrieve] = {}
    route: Route = Route()
    check: Check = Check()
    prices: dict[Name, Price] = {}
    telemetry: Telemetry = Telemetry()

    def default_model(self) -> str | None:
        """The alias of requests that name none (or `auto`): the configured one, else the first."""
        writing = (alias for alias in self.models if not self.embeds(alias))
        return self.preflight.default_model or next(writing, None)

    def embeds(self, model: str) -> bool:
        """Whether a model makes embeddings. An alias of the own embedder's name hides it."""
        return self.models[model].embeddings if model in self.models else model == OWN_EMBEDDER


def load(path: Path) -> Settings:
    """Read and check `path`. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}; name the file with --config"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: not TOML: {error}"]) from error
    return parse(table, text, path)


def parse(table: dict[str, Any], text: str, path: Path) -> Settings:
    """Check a parsed table; `text` is only for line numbers. Raises SettingsError."""
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        raise SettingsError([_fault(path, text, e["loc"], e["msg"]) for e in error.errors()]) from error
    faults = list(_dangling(settings, text, path))
    if faults:
        raise SettingsError(faults)
    return _anchored(settings, path.parent)


def secret(name: str | None) -> str | None:
    """A secret from the environment. Raises SettingsError when the named variable is not set."""
    if name is None:
        return None
    if not os.environ.get(name):
        raise SettingsError([f"the environment variable {name} is not set, but the settings name it as a secret"])
    return os.environ[name]


def _fault(path: Path, text: str, where: tuple[Any, ...], message: str) -> str:
    name = ".".join(str(part) for part in where)
    hint = "unknown key" if message.startswith("Extra inputs") else message
    return f"{path}:{line_of(text, where)}: {name}: {hint}"


def _dangling(settings: Settings, text: str, path: Path) -> list[str]:
    """Names that nothing bears: backends and fallbacks of models, the default model, priced models."""
    faults = []
    for alias, model in settings.models.items():
        where = ("models", alias)
        faults += [
            _fault(path, text, (*where, "backends"), f"no [backends.{b}]")
            for b in model.backends
            if b not in settings.backends
        ]
        faults += [
            _fault(path, text, (*where, "fallback"), f"no [models.{m}]")
            for m in model.fallback
            if m not in settings.models
        ]
    priced = {*settings.models, OWN_EMBEDDER}
    faults += [_fault(path, text, ("prices", m), f"no [models.{m}]") for m in settings.prices if m not in priced]
    default = settings.preflight.default_model
    if default and default not in settings.models:
        faults.append(_fault(path, text, ("preflight", "default_model"), f"no [models.{default}]"))
    return faults


def _anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings with relative paths made absolute from the file's folder."""
    models = {
        name: model.model_copy(update={"tokenizer": folder / model.tokenizer if model.tokenizer else None})
        for name, model in settings.models.items()
    }
    retrieve = {
        name: part.model_copy(
            update={"path": folder / part.path, "source": folder / part.source if part.source else None}
        )
        for name, part in settings.retrieve.items()
    }
    build = settings.build.model_copy(update={"prompts": folder / settings.build.prompts})
    state = settings.state.model_copy(
        update={"url": _file(settings.state.url, folder), "ledger": _file(settings.state.ledger, folder)}
    )
    return settings.model_copy(update={"models": models, "retrieve": retrieve, "build": build, "state": state})


def _file(url: str, folder: Path) -> str:
    """An sqlite URL with its path made absolute; any other as it is."""
    prefix = "sqlite:///"
    path = url.removeprefix(prefix)
    return prefix + str(folder / path) if url.startswith(prefix) and path != ":memory:" else url
