"""What a Messages request looks like, and what it is as a chat completion. Pure: bytes and limits in, values out.

Sampling fields keep their names, but for `stop_sequences`; `metadata`, `service_tier` and `cache_control` are taken and
dropped, for they are Anthropic's own bookkeeping; `prompt` and `gateway` are as in chat. Bounds that Anthropic does not
have are those of `serving.fields`. Fields: platform.claude.com/docs/en/api/messages.

Knows no caller, no model and no template. Invariant: what is passed on was built from checked values.
"""

from typing import Annotated, Any, TypeVar

from pydantic import Field

from gateway.api.anthropic.messages import Said, Turn, chat_content
from gateway.api.anthropic.output import Budgeted, OutputConfig, Thinking
from gateway.api.anthropic.tools import Tool, ToolChoice
from gateway.api.anthropic.writing import MessageWriter
from gateway.api.body import Strict, checked, parse
from gateway.api.endpoint import Asked, Wanted
from gateway.api.messages import Name
from gateway.api.wire import GatewayBody, PromptBody, countable, needs_messages, needs_model, passed_on
from gateway.errors import InvalidValue
from gateway.exchange import Message, Options
from gateway.settings import Server
from serving.fields import MAX_TOKENS

# What is called otherwise in `serving.fields`, whose bounds a value can break that has passed those here.
THEIRS = {"stop": "stop_sequences", "response_format": "output_config.format"}

Share = Annotated[float, Field(ge=0, le=1)]


class CountBody(Strict):
    """What has tokens: all of a count's body, and a part of the whole request's."""

    model: Name | None = None
    messages: list[Turn] | None = None
    system: Said | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    cache_control: Any = None
    prompt: PromptBody | None = None
    gateway: GatewayBody | None = None

    def chat(self) -> tuple[Message, ...]:
        """The conversation as chat messages. An empty `system` is none."""
        told = [block for block in self.system or () if block.text]
        system: list[Message] = [{"role": "system", "content": chat_content(told)}] if told else []
        return (*system, *[message for turn in self.messages or () for message in turn.chat()])

    def fields(self) -> dict[str, Any]:
        """The other fields under chat's names; None is absent."""
        choice = self.tool_choice
        return {
            "tools": [tool.chat() for tool in self.tools] if self.tools else None,
            "tool_choice": choice.chat() if choice else None,
            "parallel_tool_calls": False if choice and choice.disable_parallel_tool_use else None,
            **(self.output_config.fields() if self.output_config else {}),
            **(self.thinking.fields() if self.thinking else {}),
        }


class MessagesBody(CountBody):
    """The whole request."""

    max_tokens: int = Field(ge=1, le=MAX_TOKENS)
    temperature: Share | None = None
    top_p: Share | None = None
    top_k: int | None = Field(default=None, ge=0, le=MAX_TOKENS)
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    metadata: Any = None
    service_tier: Any = None

    def fields(self) -> dict[str, Any]:
        return super().fields() | {
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "stop": self.stop_sequences,
        }


B = TypeVar("B", bound=CountBody)


def read_messages(body: bytes, limits: Server) -> Wanted:
    """Read the body of POST /v1/messages. Raises InvalidValue, whose message names the field."""
    request = _read(MessagesBody, body, limits)
    _answerable(request)
    return Wanted(_asked(request, limits, request.stream or False), lambda call: MessageWriter(call.request_id))


def read_count(body: bytes, limits: Server) -> Asked:
    """Read the body of POST /v1/messages/count_tokens. Raises InvalidValue."""
    return _asked(_read(CountBody, body, limits), limits, stream=False)


def _read(shape: type[B], body: bytes, limits: Server) -> B:
    raw = parse(body, limits.max_depth)
    countable("messages", raw.get("messages"), limits.max_messages)
    request = checked(shape, raw)
    _complete(request)
    return request


def _complete(request: CountBody) -> None:
    """What holds between fields."""
    needs_messages(request.messages, request.prompt)
    needs_model(request.model, request.prompt)
    if request.tool_choice is not None and not request.tools:
        raise InvalidValue("tool_choice chooses among tools: send tools, or leave it out.", param="tool_choice")


def _answerable(request: MessagesBody) -> None:
    """What holds between fields where an answer is asked for."""
    if request.messages and request.messages[-1].role == "assistant":
        raise InvalidValue("messages must not end with the assistant's: its answer cannot be begun.", param="messages")
    thinking = request.thinking
    if isinstance(thinking, Budgeted) and thinking.budget_tokens >= request.max_tokens:
        raise InvalidValue(
            f"thinking.budget_tokens is {thinking.budget_tokens} and must be below max_tokens, {request.max_tokens}.",
            param="thinking.budget_tokens",
        )


def _asked(request: CountBody, limits: Server, stream: bool) -> Asked:
    messages = request.chat()
    if len(messages) > limits.max_messages:  # each of a message's tool results is one of chat's
        raise InvalidValue(
            f"messages and their tool results are {len(messages)}; at most {limits.max_messages} are taken.",
            param="messages",
        )
    return Asked(
        model=request.model,
        fields=passed_on(request.fields(), names=THEIRS),
        options=request.gateway.options() if request.gateway else Options(),
        messages=messages,
        prompt=request.prompt.ref() if request.prompt else None,
        stream=stream,
        conversation=_user(request),
    )


def _user(request: CountBody) -> str | None:
    """Whoever asks: `metadata.user_id`."""
    metadata = request.metadata if isinstance(request, MessagesBody) else None
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    return user if isinstance(user, str) else None
