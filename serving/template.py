"""A model's chat template, rendered as transformers renders it: from messages and tools to the text of the prompt.

Follows transformers 5, `utils/chat_template_utils.py` (the sandbox, its filters and globals, continuing the last
message), and vLLM 0.32, `renderers/hf.py`. The template is part of the model and is trusted to be correct, not to be
harmless: it runs in Jinja's immutable sandbox. What a client writes is only ever data.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import jinja2.meta
import jinja2.nodes
import jinja2.parser
import orjson
from jinja2.sandbox import ImmutableSandboxedEnvironment

from serving.content_format import content_format
from serving.conversation import Message, PromptRefused, conversation, tools, without_developer

CUT = "CONTINUE_FINAL_MESSAGE_TAG "  # transformers' own mark, with its trailing space


class Generation(jinja2.ext.Extension):
    """`{% generation %}` marks what the assistant said, for training; when prompting it is only its content."""

    tags = {"generation"}  # noqa: RUF012  (Jinja declares it so)

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


class Template:
    """One template. `control` are the named control tokens (bos_token, eos_token ...) that it may print."""

    def __init__(self, source: str, control: Mapping[str, str]) -> None:
        """Raises ValueError when the source is not a template."""
        environment = _environment()
        try:
            parsed = environment.parse(source)
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise ValueError(f"the chat template does not compile: {error}") from error
        self._source = source
        self._globals = {**self._template.globals, **control}
        self._variables = jinja2.meta.find_undeclared_variables(parsed)
        self._format = content_format(parsed)

    def render(self, request: Mapping[str, Any]) -> str:
        """The prompt's text for a request's messages, tools, reasoning_effort and continue_final_message.

        Raises PromptRefused when the messages are malformed or the template does not accept them.
        """
        messages = conversation(request.get("messages"), self._format)
        if not self._knows_developer:
            messages = without_developer(messages)
        continued = bool(request.get("continue_final_message"))
        prompted = bool(request.get("add_generation_prompt", not continued))
        if continued and prompted:
            raise PromptRefused("continue_final_message and add_generation_prompt exclude each other")
        if continued:
            messages = _marked(messages)
        try:
            values = self._globals | {
                "messages": messages,
                "tools": tools(request.get("tools")),
                "documents": None,
                "add_generation_prompt": prompted,
                **self._reasoning(request.get("reasoning_effort")),
            }
            # What Template.render does, but for gathering the globals, which takes as long as to render a short prompt.
            text = "".join(self._template.root_render_func(self._template.new_context(values, shared=True)))
        except PromptRefused:
            raise
        except Exception as error:  # whatever a template does to unforeseen data; a raise_exception() in it says why
            raise PromptRefused(f"the model's chat template does not accept these messages{_why(error)}") from error
        return self._cut(text) if continued else text

    def _cut(self, text: str) -> str:
        """The text up to the mark. transformers refuses, as here, a template that does not name the content."""
        at = text.rfind(CUT.strip())
        if at < 0 or "content" not in self._source:
            raise PromptRefused("the model's chat template does not keep the final message, so it cannot be continued")
        return text[:at] if text.startswith(CUT, at) else text[:at].rstrip()

    @cached_property
    def _knows_developer(self) -> bool:
        return '"developer"' in self._source or "'developer'" in self._source

    def _reasoning(self, effort: object) -> dict[str, Any]:
        """What vLLM tells a template that asks: the effort, and whether to think at all."""
        if effort is None:
            return {}
        said = {"reasoning_effort": effort, "enable_thinking": effort != "none"}
        return {name: value for name, value in said.items() if name in self._variables}


class Templates:
    """A model's templates: one for everything, or a `default` and a `tool_use` for requests with tools."""

    def __init__(self, sources: Mapping[str, str], control: Mapping[str, str]) -> None:
        if "default" not in sources:
            raise ValueError("the model has no default chat template")
        self._templates = {name: Template(source, control) for name, source in sources.items()}

    @classmethod
    def load(cls, model_dir: Path) -> "Templates":
        """Raises OSError or ValueError when the folder holds no usable chat template."""
        config = orjson.loads((model_dir / "tokenizer_config.json").read_bytes())
        control = {name: _content(value) for name, value in config.items() if name.endswith("_token")}
        return cls(_sources(model_dir, config), {name: value for name, value in control.items() if value})

    def render(self, request: Mapping[str, Any]) -> str:
        """The prompt's text. Raises PromptRefused."""
        with_tools = self._templates.get("tool_use") if request.get("tools") is not None else None
        return (with_tools or self._templates["default"]).render(request)


def _sources(model_dir: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Files win over the configuration, as in transformers."""
    files = {path.stem: path.read_text("utf-8") for path in (model_dir / "additional_chat_templates").glob("*.jinja")}
    if (main := model_dir / "chat_template.jinja").is_file():
        files["default"] = main.read_text("utf-8")
    if files:
        return files
    configured = config.get("chat_template") or {}
    if isinstance(configured, str):
        return {"default": configured}
    return {str(entry["name"]): str(entry["template"]) for entry in configured}


def _content(token: object) -> str | None:
    """A control token is written as a string or as an object with its content; other settings end in _token too."""
    content = token.get("content") if isinstance(token, Mapping) else token
    return content if isinstance(content, str) else None


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals |= {"raise_exception": _raise, "strftime_now": lambda form: datetime.now().strftime(form)}
    return environment


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Unlike Jinja's own, this does not escape HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)


def _why(error: Exception) -> str:
    return f": {error}"[:200] if type(error) is jinja2.TemplateError else ""


def _marked(messages: list[Message]) -> list[Message]:
    """The last message with a mark at its end, at which the rendered text will be cut."""
    messages = deepcopy(messages)
    content = messages[-1]["content"]
    if isinstance(content, str):
        messages[-1]["content"] = content + CUT
    elif content:
        content[-1]["text"] += CUT
    else:
        raise PromptRefused("there is no text in the final message to continue")
    return messages
