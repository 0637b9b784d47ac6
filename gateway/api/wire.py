"""What a chat request looks like on the wire, and what it means. Pure: bytes and limits in, a `ChatRequest` out.

Typed here is what the gateway acts on (messages, `prompt`, `stream`, `gateway`); every other field goes through the
positive list of `serving.fields`. Knows no caller, no model and no template: whether they exist is found out later.

Invariant: what is passed on was built from checked values, never copied from the client's bytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from gateway.api.body import Strict, checked, parse
from gateway.errors import InvalidValue
from gateway.exchange import Message, OnLength, Options, PromptRef, Retrieval
from gateway.settings import Server
from serving.fields import FieldError, allowed

Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Label = Annotated[str, StringConstraints(max_length=64)]
MOST_TAGS = 16
TOP_K = 4  # passages, when the request names none


def _data_only(url: str) -> str:
    if not url.startswith("data:"):
        raise ValueError("Only data: URLs are taken; the gateway fetches nothing on a client's behalf")
    return url


def _never_only(value: str) -> str:
    if value != "never":
        raise ValueError("Only `never` is supported now; shorten the messages yourself")
    return value


def _member(name: Callable[[Any], str | None], expected: str) -> Discriminator:
    """Chooses a union's member by `name`; the tag's `|` keeps it out of an error's path (see `body`)."""
    return Discriminator(
        lambda value: f"|{name(value)}", custom_error_type="union", custom_error_message=f"Input should be {expected}"
    )


def _field(field: str) -> Callable[[Any], str | None]:
    return lambda value: value.get(field) if isinstance(value, Mapping) else None


class TextPart(Strict):
    type: Literal["text"]
    text: str


class ImageUrl(Strict):
    url: Annotated[str, AfterValidator(_data_only)]
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Strict):
    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[
    Annotated[TextPart, Tag("|text")] | Annotated[ImagePart, Tag("|image_url")],
    _member(_field("type"), "a part whose type is text or image_url"),
]
Content = Annotated[
    Annotated[str, Tag("|str")] | Annotated[list[Part], Tag("|list")],
    _member(lambda value: type(value).__name__, "a string or a list of parts"),
]


class Function(Strict):
    name: Name
    arguments: str


class ToolCall(Strict):
    id: Name
    type: Literal["function"]
    function: Function
    index: int | None = None  # left in by clients that collected a stream


class Instruction(Strict):
    role: Literal["system", "developer", "user"]
    content: Content
    name: Name | None = None


class Assistant(Strict):
    """`annotations` and `audio` are always sent back by OpenAI's client, empty, with the answers that it collected."""

    role: Literal["assistant"]
    content: Content | None = None
    name: Name | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None
    annotations: list[Any] | None = Field(default=None, max_length=0)
    audio: None = None


class ToolResult(Strict):
    role: Literal["tool"]
    content: Content
    tool_call_id: Name


class FunctionResult(Strict):
    role: Literal["function"]
    content: str | None
    name: Name


AnyMessage = Annotated[
    Annotated[Instruction, Tag("|system")]
    | Annotated[Instruction, Tag("|developer")]
    | Annotated[Instruction, Tag("|user")]
    | Annotated[Assistant, Tag("|assistant")]
    | Annotated[ToolResult, Tag("|tool")]
    | Annotated[FunctionResult, Tag("|function")],
    _member(_field("role"), "a message whose role is system, developer, user, assistant, tool or function"),
]


class PromptBody(Strict):
    id: Name
    version: Name | None = None
    variables: dict[str, Any] | None = None

    def ref(self) -> PromptRef:
        return PromptRef(self.id, self.version, self.variables or {})


class StreamOptions(Strict):
    include_usage: bool = False


class RetrieveBody(Strict):
    collection: Name
    top_k: int = Field(default=TOP_K, ge=1, le=50)


class GatewayBody(Strict):
    """The request's `gateway` object. `task` is a hint for the model `auto`; one model serves all tasks now."""

    cache: Literal["use", "skip", "refresh", "only"] | None = None
    semantic: bool | None = None
    retrieve: RetrieveBody | None = None
    truncate: Annotated[Literal["never", "middle", "oldest"], AfterValidator(_never_only)] | None = None
    on_length: OnLength | None = None
    task: Label | None = None
    tags: dict[Label, Label] | None = Field(default=None, max_length=MOST_TAGS)
    explain: bool | None = None

    def options(self) -> Options:
        retrieve = Retrieval(self.retrieve.collection, self.retrieve.top_k) if self.retrieve else None
        return Options(
            self.cache or "auto", self.semantic, retrieve, self.on_length, self.tags or {}, self.explain or False
        )


class ChatBody(BaseModel):
    """The fields that the gateway reads itself (`serving.fields.HANDLED`); the others are `allowed`'s matter."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    model: Name | None = None
    messages: list[AnyMessage] | None = None
    prompt: PromptBody | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    gateway: GatewayBody | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A checked request: `fields` are to be passed on, `include_usage` asks for a stream's usage chunk."""

    model: str | None
    messages: tuple[Message, ...]
    prompt: PromptRef | None
    fields: Mapping[str, Any]
    options: Options
    stream: bool
    include_usage: bool


def read_chat(body: bytes, limits: Server) -> ChatRequest:
    """Read the body of POST /v1/chat/completions. Raises InvalidValue; `param` names the field."""
    raw = parse(body, limits.max_depth)
    _countable(raw.get("messages"), limits.max_messages)
    chat = checked(ChatBody, raw)
    _complete(chat)
    try:
        fields = allowed(raw)
    except FieldError as error:
        raise InvalidValue(error.message, param=error.param) from None
    return ChatRequest(
        model=chat.model,
        messages=tuple(_plain(message) for message in raw.get("messages") or ()),
        prompt=chat.prompt.ref() if chat.prompt else None,
        fields=fields,
        options=chat.gateway.options() if chat.gateway else Options(),
        stream=chat.stream or False,
        include_usage=bool(chat.stream_options and chat.stream_options.include_usage),
    )


def _countable(messages: Any, most: int) -> None:
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


def _plain(message: Mapping[str, Any]) -> Message:
    """A checked message without its nulls and empty echoes: chat templates tell `null` from absent, clients do not."""
    kept = {name: value for name, value in message.items() if value is not None and name != "annotations"}
    return kept if "content" in kept else {**kept, "content": None}
