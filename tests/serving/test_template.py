"""Our rendering against vLLM's own, on the same templates and requests, to the letter."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from serving.conversation import PromptRefused
from serving.probes import PROBES
from serving.template import Template, Templates
from tests.conftest import ENGINE_PYTHON

CONTROL = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
SOURCES = {path.stem: path.read_text() for path in (Path(__file__).parent / "templates").glob("*.jinja")}

_USER = {"role": "user", "content": "Hi"}
_BOT = {"role": "assistant", "content": "one, two "}
# What the probes leave out: odd shapes that vLLM accepts or refuses.
ODD: Mapping[str, Mapping[str, Any]] = {
    "custom role": {"messages": [{"role": "narrator", "content": "Once"}]},
    "alternating": {"messages": [{"role": "system", "content": "S"}, _USER, _BOT, _USER]},
    "effort": {"messages": [_USER], "reasoning_effort": "high"},
    "no effort": {"messages": [_USER], "reasoning_effort": "none"},
    "old reasoning": {"messages": [_USER, {**_BOT, "reasoning_content": "hm"}, _USER]},
    "refusal part": {"messages": [_USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]},
    "null text": {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}, {**_BOT, "content": []}]},
    "arguments as text": {
        "messages": [
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}, "index": 0}
                    for arguments in ('{"b": 1, "a": [2]}', "[1]", "", "{", "7", "null")
                ],
            }
        ]
    },
    "tool with more": {
        "messages": [_USER],
        "tools": [{"type": "function", "function": {"name": "f", "strict": True, "other": 1}, "more": 2}],
    },
    "billing line": {"messages": [{"role": "system", "content": "x-anthropic-billing-header: a\nBe kind."}, _USER]},
    "only a billing line": {"messages": [{"role": "system", "content": "x-anthropic-billing-header: a"}, _USER]},
    "continued parts": {
        "messages": [_USER, {"role": "assistant", "content": [{"type": "text", "text": "one "}]}],
        "continue_final_message": True,
        "add_generation_prompt": False,
    },
    "continued and prompted": {
        "messages": [_USER, _BOT],
        "continue_final_message": True,
        "add_generation_prompt": True,
    },
    "developer first and last": {
        "messages": [{"role": "developer", "content": "A", "tools": []}, _USER, {"role": "developer", "content": ""}]
    },
    "no messages": {"messages": []},
}
REQUESTS = {**PROBES, **ODD}


@pytest.fixture(scope="module")
def oracle(model_dir: Path) -> Any:
    """vLLM's word on every template and request."""
    asked = json.dumps({"model_dir": str(model_dir), "templates": SOURCES, "requests": REQUESTS})
    script = Path(__file__).with_name("oracle.py")
    answered = subprocess.run([ENGINE_PYTHON, script], input=asked, capture_output=True, text=True, check=False)
    assert answered.returncode == 0, answered.stderr[-2000:]
    return json.loads(answered.stdout[answered.stdout.index('{"') :])


@pytest.mark.parametrize("name", SOURCES)
def test_every_prompt_is_vllms_to_the_letter(oracle: Any, name: str) -> None:
    template = Template(SOURCES[name], CONTROL)
    assert {title: rendered(template, request) for title, request in REQUESTS.items()} == oracle[name]["prompts"]


def rendered(template: Template, request: Mapping[str, Any]) -> str | None:
    try:
        return template.render(request)
    except PromptRefused:
        return None


def test_the_oracle_saw_both_forms_of_content(oracle: Any) -> None:
    assert {name: said["format"] for name, said in oracle.items()} == {
        "parts": "openai",
        "macro": "openai",
        "strict": "string",
        "everything": "string",
    }


@pytest.mark.parametrize(
    "messages",
    [
        None,
        "text",
        7,
        {},
        [7],
        [{}],
        [{"role": 7}],
        [{"role": "user", "content": 7}],
        [{"role": "user", "content": [7]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}],
        [{"role": "user", "content": [{"type": "text", "text": 7}]}],
        [{"role": "user", "content": [{"type": []}]}],
        [{"role": "assistant", "tool_calls": 7}],
        [{"role": "assistant", "tool_calls": [7]}],
        [{"role": "assistant", "tool_calls": [{"function": {}}]}],
        [{"role": "assistant", "tool_calls": [{"function": 7}]}],
    ],
)
def test_nonsense_is_refused(messages: Any) -> None:
    with pytest.raises(PromptRefused):
        Template(SOURCES["everything"], CONTROL).render({"messages": messages})


@pytest.mark.parametrize("tools", [7, [7], [{}], [{"function": {}}], [{"function": 7}], {"a": 1}])
def test_tools_that_make_no_sense_are_refused(tools: Any) -> None:
    with pytest.raises(PromptRefused):
        Template(SOURCES["everything"], CONTROL).render({"messages": [_USER], "tools": tools})


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
