"""What the bodies of several APIs have in common: a prompt of the library, the `gateway` object, what must be there.

Knows no API of its own, no caller, no model and no template: whether they exist is found out later.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from gateway.api.body import Strict
from gateway.api.messages import Name
from gateway.errors import InvalidValue
from gateway.exchange import Mode, OnLength, Options, PromptRef, Retrieval, Truncate
from gateway.scopes import checked_tags
from gateway.settings import OnStop
from serving.fields import CHAT, FieldError, Table, allowed

Label = Annotated[str, StringConstraints(max_length=64)]
Tags = Annotated[dict[str, str], AfterValidator(checked_tags)]


class PromptBody(Strict):
    id: Name
    version: Name | None = None
    variables: dict[str, Any] | None = None

    def ref(self) -> PromptRef:
        return PromptRef(self.id, self.version, self.variables or {})


class StreamOptions(Strict):
    """OpenAI pads its chunks unless told otherwise (obfuscation); here none is padded."""

    include_usage: bool = False
    include_obfuscation: Literal[False] | None = None


def _listed(values: Any) -> Any:
    return [values] if isinstance(values, str) else values


Value = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Values = Annotated[list[Value], BeforeValidator(_listed), Field(min_length=1, max_length=64)]


class RetrieveBody(Strict):
    """`filter`: metadata that passages must have, each key one of its values: `{"team": "people"}`, or a list."""

    collection: Name
    top_k: int | None = Field(default=None, ge=1, le=50)
    filter: dict[Annotated[str, StringConstraints(min_length=1, max_length=64)], Values] | None = Field(
        default=None, max_length=16
    )

    def retrieval(self) -> Retrieval:
        where = {name: tuple(sorted(set(values))) for name, values in (self.filter or {}).items()}
        return Retrieval(self.collection, self.top_k, where)


class GatewayBody(Strict):
    """The request's `gateway` object. `task` is a hint for the model `auto`; one model serves all tasks now."""

    cache: Literal["use", "skip", "refresh", "only"] | None = None
    semantic: bool | None = None
    retrieve: RetrieveBody | None = None
    truncate: Truncate | None = None
    on_length: OnLength | None = None
    on_stop: OnStop | None = None
    mode: Mode | None = None
    task: Label | None = None
    tags: Tags | None = None
    explain: bool | None = None

    def options(self) -> Options:
        retrieve = self.retrieve.retrieval() if self.retrieve else None
        return Options(
            cache=self.cache or "auto",
            semantic=self.semantic,
            retrieve=retrieve,
            on_length=self.on_length,
            on_stop=self.on_stop or {},
            mode=self.mode,
            truncate=self.truncate,
            tags=self.tags or {},
            explain=self.explain or False,
        )


def passed_on(fields: Mapping[str, Any], table: Table = CHAT, names: Mapping[str, str] = {}) -> dict[str, Any]:
    """The `fields` to pass on, by the positive list. Raises InvalidValue, whose `param` is an API's own of `names`."""
    try:
        return allowed(fields, table)
    except FieldError as error:
        param = names.get(error.param, error.param)
        raise InvalidValue(error.message.replace(error.param, param, 1), param=param) from None


def asker(fields: Mapping[str, Any]) -> str | None:
    """Whoever asks, in OpenAI's fields. `prompt_cache_key` is none: it names what many conversations have in common."""
    return next((str(fields[name]) for name in ("safety_identifier", "user") if fields.get(name)), None)


def countable(name: str, entries: Any, most: int) -> None:
    """Raises InvalidValue where a body has too many of them; counted before each is looked at."""
    if isinstance(entries, list) and len(entries) > most:
        raise InvalidValue(f"{name} has {len(entries)} entries; at most {most} are taken.", param=name)


def needs_messages(messages: Sequence[Any] | None, prompt: PromptBody | None) -> None:
    """Raises InvalidValue where nothing is said."""
    if not messages and prompt is None:
        raise InvalidValue('Send messages, or name a prompt: {"prompt": {"id": ...}}.', param="messages")


def needs_model(model: str | None, prompt: PromptBody | None) -> None:
    """Raises InvalidValue where nothing names a model."""
    if model is None and prompt is None:
        raise InvalidValue("model is required where no prompt names one; `auto` takes the default.", param="model")


def needs_stream(options: BaseModel | None, stream: bool | None) -> None:
    """Raises InvalidValue where the options of a stream come without one."""
    if options is not None and not stream:
        raise InvalidValue('stream_options is only for streams: add "stream": true.', param="stream_options")
