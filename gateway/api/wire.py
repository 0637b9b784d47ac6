"""What a chat request looks like on the wire, and what it means. Pure: bytes and limits in, `Asked` out.

Typed here is what the gateway acts on (messages, `prompt`, `stream`, `gateway`); every other field goes through the
positive list of `serving.fields`. Knows no caller, no model and no template: whether they exist is found out later.

Invariant: what is passed on was built from checked values, never copied from the client's bytes.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from gateway.api.body import Strict, checked, parse
from gateway.api.chat import ChatWriter
from gateway.api.endpoint import Asked
from gateway.api.messages import AnyMessage, Name, plain
from gateway.errors import InvalidValue
from gateway.exchange import OnLength, Options, PromptRef, Retrieval
from gateway.scopes import checked_tags
from gateway.settings import Server
from serving.fields import FieldError, allowed

Label = Annotated[str, StringConstraints(max_length=64)]
Tags = Annotated[dict[str, str], AfterValidator(checked_tags)]


def _never_only(value: str) -> str:
    if value != "never":
        raise ValueError("Only `never` is supported now; shorten the messages yourself")
    return value


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


class RetrieveBody(Strict):
    collection: Name
    top_k: int | None = Field(default=None, ge=1, le=50)


class GatewayBody(Strict):
    """The request's `gateway` object. `task` is a hint for the model `auto`; one model serves all tasks now."""

    cache: Literal["use", "skip", "refresh", "only"] | None = None
    semantic: bool | None = None
    retrieve: RetrieveBody | None = None
    truncate: Annotated[Literal["never", "middle", "oldest"], AfterValidator(_never_only)] | None = None
    on_length: OnLength | None = None
    task: Label | None = None
    tags: Tags | None = None
    explain: bool | None = None

    def options(self) -> Options:
        retrieve = Retrieval(**self.retrieve.model_dump(exclude_none=True)) if self.retrieve else None
        return Options(
            self.cache or "auto", self.semantic, retrieve, self.on_length, self.tags or {}, self.explain or False
        )


class ChatBody(BaseModel):
    """The fields that the gateway reads itself (`serving.fields.CHAT.handled`); the others are `allowed`'s matter."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    model: Name | None = None
    messages: list[AnyMessage] | None = None
    prompt: PromptBody | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    gateway: GatewayBody | None = None


def read_chat(body: bytes, limits: Server) -> Asked:
    """Read the body of POST /v1/chat/completions. Raises InvalidValue; `param` names the field."""
    raw = parse(body, limits.max_depth)
    countable(raw.get("messages"), limits.max_messages)
    chat = checked(ChatBody, raw)
    _complete(chat)
    try:
        fields = allowed(raw)
    except FieldError as error:
        raise InvalidValue(error.message, param=error.param) from None
    include_usage = bool(chat.stream_options and chat.stream_options.include_usage)
    return Asked(
        model=chat.model,
        messages=tuple(plain(message) for message in raw.get("messages") or ()),
        fields=fields,
        options=chat.gateway.options() if chat.gateway else Options(),
        stream=chat.stream or False,
        writer=lambda call: ChatWriter(call.request_id, include_usage),
        prompt=chat.prompt.ref() if chat.prompt else None,
    )


def countable(messages: Any, most: int) -> None:
    """Raises InvalidValue where a body has too many messages; counted before each is looked at."""
    if isinstance(messages, list) and len(messages) > most:
        raise InvalidValue(f"messages has {len(messages)} entries; at most {most} are taken.", param="messages")


def _complete(chat: ChatBody) -> None:
    """What holds between fields."""
    if not chat.messages and chat.prompt is None:
        raise InvalidValue('Send messages, or name a prompt: {"prompt": {"id": ...}}.', param="messages")
    if chat.model is None and chat.prompt is None:
        raise InvalidValue("model is required where no prompt names one; `auto` takes the default.", param="model")
    if chat.stream_options is not None and not chat.stream:
        raise InvalidValue('stream_options is only for streams: add "stream": true.', param="stream_options")
