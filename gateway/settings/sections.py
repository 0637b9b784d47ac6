"""What the file may say: a frozen model for each section, with its defaults. Knows no file and no environment."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from gateway.settings.canary import Canary
from gateway.settings.guards import Guard
from gateway.stopping import Cause, Remedy, checked_remedies

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")]
Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]


def _listed(one_or_more: Any) -> Any:
    if isinstance(one_or_more, str):
        return (one_or_more,)
    return tuple(one_or_more) if isinstance(one_or_more, list) else one_or_more


# What is done about an answer that stopped for a cause: `empty = "retry"`, or several in turn: `["retry", "error"]`.
OnStop = Annotated[
    dict[Cause, Annotated[tuple[Remedy, ...], BeforeValidator(_listed)]], AfterValidator(checked_remedies)
]

OWN_EMBEDDER = "all-MiniLM-L6-v2"  # the model that the gateway itself runs; it may have a price


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

    `embeddings`: it makes those, and writes no text; `query_prompt` and `passage_prompt` are what it was trained to see
    before what is asked and what is searched. `scores`: it is a cross-encoder, which rates texts (vLLM's
    /rerank), and writes none either. `on_stop`: remedies of its answers, above those of [check].
    """

    backends: list[Name] = Field(min_length=1)
    served: str | None = None
    tokenizer: Path | None = None
    window: Positive | None = None  # tokens; default: what the backend reports
    max_output: Positive = 512  # tokens, when the request names no ceiling
    fallback: list[Name] = []
    embeddings: bool = False
    query_prompt: str = ""
    passage_prompt: str = ""
    scores: bool = False
    on_stop: OnStop = {}


def _without_password(address: str) -> str:
    if urlsplit(address).password is not None:
        raise ValueError("holds a password: put that into the environment, and the variable's name into key_env")
    return address


class Build(Section):
    """Where templates are: the folder `prompts` as it lies on disk or, with `repository` (a path or an address), in the
    `folder` of its `branch`. `key_env` names the environment variable with its token, or `user:password`.

    `watch`: what changes there is taken up by itself; a folder is looked at twice a second or more often, a repository
    fetched every `fetch_s`.
    """

    prompts: Path = Path("prompts")
    repository: Annotated[str, Field(min_length=1), AfterValidator(_without_password)] | None = None
    branch: Name | None = None  # default: the one that the repository calls its own
    folder: str = ""
    key_env: str | None = None
    watch: bool = False
    fetch_s: Seconds = 30.0


class Preflight(Section):
    default_model: Name | None = None


class Cache(Section):
    """`plain` is the mode of requests without a template; the others say theirs in their front matter.

    `max_error_rate` is the wrong share of the semantic hits that is accepted. A `sample` of the would-be hits, in
    `shadow` all, is answered anew and compared. `charge`: what a hit costs, the request alone or its tokens too.
    `shared` are prompts whose answers all tenants may share.

    `judge` is an alias that is asked, beside the requests, whether two answers say the same where that cannot be told
    otherwise; its tokens are at most `judge_share` of those that requests use. `verifier` is one that scores: it is
    asked, for `verifier_s` at most, about questions that came near to a hit. `learn`: what was compared gives each pool
    a model of its own, which may serve more where that is proven.
    """

    plain: Literal["off", "exact", "semantic"] = "exact"
    semantic: Literal["off", "shadow", "on"] = "on"
    max_error_rate: float = Field(default=0.01, gt=0.0, lt=1.0)
    sample: float = Field(default=0.05, ge=0.0, le=1.0)
    charge: Literal["request", "tokens"] = "request"
    shared: list[str] = []
    ttl_s: Seconds = 86400.0
    max_entries: Positive = 100_000  # of all tenants; with a body of 2 KB some 500 MB
    max_partitions: Positive = 256  # in memory at once
    judge: Name | None = None
    judge_share: float = Field(default=0.05, gt=0.0, le=1.0)
    verifier: Name | None = None
    verifier_s: Seconds = 0.05
    learn: bool = False


def _stemmed(language: str) -> str:
    from retrieval.lexical import analyzer  # needed where another language is named than the default

    analyzer(language)
    return language


class Rule(Section):
    """Documents whose path in the source is like `match` (a glob) get these access labels and this metadata."""

    match: str = Field(min_length=1)
    access: list[Annotated[str, Field(min_length=1)]] = []
    metadata: dict[str, str] = {}


class Retrieve(Section):
    """One collection: `source` is indexed into `path`; `max_tokens` bounds what its passages may add to a prompt.

    `tenants` may search it (default: all). `language` is that of its documents, ISO 639-1, or "" for words as they are.
    `floor` is the least probability of relevance that a passage is shown with (default: `retrieval.search.FLOOR`).
    `rerank` is the alias of a model that rates passages, waited for `rerank_s` at most.

    Its vectors are made by all-MiniLM-L6-v2, or by `weights`, the folder of another sentence-transformers model, or by
    `embedder`, the alias of a model that makes embeddings of so many `dimensions`.

    With `engine`, the URL of a Qdrant, what was published there is served, and `path` only holds what is published.
    """

    path: Path
    source: Path | None = None
    max_tokens: Positive = 1200
    tenants: list[Name] | None = None
    rules: list[Rule] = []
    language: Annotated[str, AfterValidator(_stemmed)] = "en"
    floor: float | None = Field(default=None, ge=0.0, le=1.0)
    rerank: Name | None = None
    rerank_s: Seconds = 0.5  # some ten times what 50 pairs take on a GPU
    weights: Path | None = None
    embedder: Name | None = None
    dimensions: Positive | None = None
    engine: str | None = Field(default=None, pattern=r"^https?://")
    engine_key_env: str | None = None

    @model_validator(mode="after")
    def _one_embedder(self) -> Self:
        if self.weights and self.embedder:
            raise ValueError("vectors are made by `weights` or by `embedder`: name one")
        if bool(self.embedder) != bool(self.dimensions):
            raise ValueError("`embedder` needs the `dimensions` of its vectors, and nothing else does")
        return self

    @model_validator(mode="after")
    def _key_of_an_engine(self) -> Self:
        if self.engine_key_env and not self.engine:
            raise ValueError("`engine_key_env` names the key of an `engine`: name that too")
        return self


class Route(Section):
    attempts: Positive = 3  # backends tried before the first event, at most


class Check(Section):
    """`rounds` bounds how often `continue` asks for more; `on_length` is the policy of requests that name none, and
    `on_stop` the remedies of other causes than the ceiling (`gateway.exchange.stopping`).

    `mode` of streams: `verdict` sends what comes and judges it last, `strict` holds it back until it is checked. An
    answer is checked against its format for `deadline_s` at most.
    """

    on_length: Literal["error", "return", "retry", "continue"] = "return"
    on_stop: OnStop = {}
    rounds: Positive = 3
    mode: Literal["verdict", "strict"] = "verdict"
    deadline_s: Seconds = 1.0


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
    guard: dict[Name, Guard] = {}
    canary: dict[Name, Canary] = {}
    prices: dict[Name, Price] = {}
    telemetry: Telemetry = Telemetry()

    def default_model(self) -> str | None:
        """The alias of requests that name none (or `auto`): the configured one, else the first."""
        writing = (alias for alias in self.models if self.writes(alias))
        return self.preflight.default_model or next(writing, None)

    def writes(self, model: str) -> bool:
        """Whether a model writes text, as far as the settings know it."""
        return not self.embeds(model) and not (model in self.models and self.models[model].scores)

    def embeds(self, model: str) -> bool:
        """Whether a model makes embeddings. An alias of the own embedder's name hides it."""
        return self.models[model].embeddings if model in self.models else model == OWN_EMBEDDER
