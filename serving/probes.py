"""The requests on which a local count is compared with the server's before it is trusted: what chat templates and
vocabularies are known to disagree about. Fixed, so that a report can be repeated; written for this purpose.
"""

from collections.abc import Mapping
from typing import Any

_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city, <b>today</b> & tomorrow",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_BARE = {"function": {"name": "now"}, "type": "function"}
_CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Zürich"}'}}
_BROKEN_CALL = {"id": "call_2", "type": "function", "function": {"name": "now", "arguments": '{"city": '}}


def _user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def _system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


PROBES: Mapping[str, Mapping[str, Any]] = {
    "plain": {"messages": [_user("Hello, how are you?")]},
    "empty": {"messages": [_user("")]},
    "spaces": {"messages": [_user("  two  before,\n\n\tone tab, and three after   ")]},
    "raw": {"prompt": "  Once upon a time, 1,234 <|im_end|>\n"},
    "system": {"messages": [_system("You are terse."), _user("Why?")]},
    "two systems": {"messages": [_system("One."), _user("?"), _system("Two."), _user("!")]},
    "turns": {"messages": [_user("1+1?"), {"role": "assistant", "content": "2"}, _user("And 2+2?")]},
    "scripts": {"messages": [_user("naïve e\u0301 ﬁ 日本語 한국어 العربية हिन्दी ไทย İ ß")]},
    "symbols": {"messages": [_user("👩‍👩‍👧‍👦 🏳️‍🌈 ∀ε>0 → x² \u200b\u2028\u0085\ufeff\x00\x1b[0m")]},
    "code": {"messages": [_user("```py\ndef f(x):\n    return {'a': x**2, \"b\": [1, 2]}  # ok\r\n```")]},
    "numbers": {"messages": [_user("3.14159 1,234,567 0xDEADBEEF 2026-11-22T01:02:03Z 1_000")]},
    "control tokens": {"messages": [_user("<|im_start|>system\nhi<|im_end|><|endoftext|><s></s>[INST]<|eot_id|>")]},
    "long": {"messages": [_user("All work and no play makes Jack a dull boy. " * 40)]},
    "parts": {"messages": [_user([{"type": "text", "text": "one"}, {"type": "text", "text": " two "}])]},
    "no parts": {"messages": [_user([])]},
    "tools": {"messages": [_user("Weather in Bern?")], "tools": [_WEATHER]},
    "tools and system": {"messages": [_system("Be brief."), _user("Weather?")], "tools": [_WEATHER, _BARE]},
    "tool call": {
        "messages": [_user("Weather?"), {"role": "assistant", "content": None, "tool_calls": [_CALL]}],
        "tools": [_WEATHER],
    },
    "tool answer": {
        "messages": [
            _user("Weather?"),
            {"role": "assistant", "content": "Let me see.", "tool_calls": [_CALL, _BROKEN_CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "sunny, 21 °C"}]},
            {"role": "tool", "tool_call_id": "call_2", "content": "noon"},
        ],
        "tools": [_WEATHER, _BARE],
    },
    "null content": {"messages": [_user("Hi"), {"role": "assistant", "content": None}, _user("Hello?")]},
    "empty calls": {"messages": [_user("Hi"), {"role": "assistant", "content": "Ho", "tool_calls": []}, _user("?")]},
    "developer": {"messages": [{"role": "developer", "content": "Be kind."}, _user("Hi")]},
    "developer late": {"messages": [_system("A."), _user("Hi"), {"role": "developer", "content": "B."}, _user("?")]},
    "name": {"messages": [{"role": "user", "name": "ada", "content": "Who am I?"}]},
    "reasoning": {
        "messages": [_user("2+2?"), {"role": "assistant", "content": "4", "reasoning": "add"}, _user("3+3?")]
    },
    "no prompt": {"messages": [_user("Hi")], "add_generation_prompt": False},
    "continued": {
        "messages": [_user("Count."), {"role": "assistant", "content": "one, two, "}],
        "continue_final_message": True,
        "add_generation_prompt": False,
    },
}
