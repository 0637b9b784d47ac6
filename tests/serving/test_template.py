"""Our rendering against vLLM's own, on the same templates and requests, to the letter."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from serving.conversation import PromptRefused
from serving.probes import PROBES
from serving.template import Template, Templates
from tests.serving.conftest import REQUESTS, SOURCES

CONTROL = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
_USER = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize("name", SOURCES)
def test_every_prompt_is_vllms_to_the_letter(oracle: Any, name: str) -> None:
    template = Template(SOURCES[name], CONTROL)
    assert {title: rendered(template, request) for title, request in REQUESTS.items()} == oracle[name]["prompts"]


def rendered(template: Template, request: Mapping[str, Any]) -> str | None:
    try:
        return template.render(request)
    except PromptRefused:
        return None


def test_a_refusal_gives_the_templates_reason() -> None:
    with pytest.raises(PromptRefused, match="Roles must alternate"):
        Template(SOURCES["strict"], CONTROL).render({"messages": [_USER, _USER]})


def test_the_callers_messages_stay_as_they_were() -> None:
    for request in PROBES.values():
        before = json.dumps(request)
        rendered(Template(SOURCES["everything"], CONTROL), request)
        assert json.dumps(request) == before


@pytest.mark.parametrize("attack", ["{{ ''.__class__.__mro__ }}", "{{ messages.append(1) }}", "{{ cycler.__init__ }}"])
def test_a_template_is_kept_in_the_sandbox(attack: str) -> None:
    assert "class" not in (rendered(Template(attack, {}), {"messages": [_USER]}) or "")


def test_what_is_no_template_is_told() -> None:
    with pytest.raises(ValueError, match="does not compile"):
        Template("{% for %}", {})


def write(folder: Path, config: Mapping[str, Any], **files: str) -> Path:
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".jinja").write_text(text)
    return folder


ONE = {"messages": [_USER]}
WITH_TOOLS = {"messages": [_USER], "tools": [{"function": {"name": "f"}}]}


def test_a_template_in_the_configuration(tmp_path: Path) -> None:
    config = {"chat_template": "{{ bos_token }}{{ eos_token }}", "bos_token": "<s>", "eos_token": {"content": "</s>"}}
    assert Templates.load(write(tmp_path, config | {"add_bos_token": True})).render(ONE) == "<s></s>"


def test_a_template_for_tools_in_the_configuration(tmp_path: Path) -> None:
    named = [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"}]
    templates = Templates.load(write(tmp_path, {"chat_template": named}))
    assert (templates.render(ONE), templates.render(WITH_TOOLS)) == ("plain", "tools")


def test_a_template_file_wins(tmp_path: Path) -> None:
    folder = write(tmp_path, {"chat_template": "configured"}, chat_template="file")
    assert Templates.load(folder).render(ONE) == "file"


def test_template_files_for_tools(tmp_path: Path) -> None:
    folder = write(tmp_path, {}, chat_template="plain", additional_chat_templates__tool_use="tools")
    templates = Templates.load(folder)
    assert (templates.render(ONE), templates.render(WITH_TOOLS)) == ("plain", "tools")


def test_no_template_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no default chat template"):
        Templates.load(write(tmp_path, {}))
