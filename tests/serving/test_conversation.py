"""What is no conversation is refused; that the rest is read as vLLM reads it is shown in test_template.py."""

from typing import Any

import pytest

from serving.conversation import PromptRefused, conversation, tools


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
        conversation(messages, "string")


@pytest.mark.parametrize("requested", [7, [7], [{}], [{"function": {}}], [{"function": 7}], {"a": 1}])
def test_tools_that_make_no_sense_are_refused(requested: Any) -> None:
    with pytest.raises(PromptRefused):
        tools(requested)
