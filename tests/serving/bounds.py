"""Values just inside and just outside the bounds of every field that is sent on."""

from typing import Any

from serving.fields import CHAT, COMPLETIONS, EMBEDDINGS, Table

DEEP: dict[str, Any] = {}
for _ in range(40):
    DEEP = {"properties": DEEP}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def shaped(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema} | more}


# For each field that is sent on: what is just inside its bounds, and what is just outside.
Bounds = dict[str, tuple[list[Any], list[Any]]]

GENERATION: Bounds = {
    "max_completion_tokens": ([1, 1_000_000], [0, 1_000_001, True]),
    "max_tokens": ([1, 1_000_000], [0, 1_000_001, -1, 1.5, "1"]),
    "min_tokens": ([0, 1_000_000], [-1, 1_000_001]),
    "ignore_eos": ([True, False], [1]),
    "n": ([1, 4], [0, 5, 16384, "2"]),
    "stop": (["a", "x" * 64, ["a"] * 4, []], ["", "x" * 65, ["a"] * 5, ["x" * 65], [7], 7]),
    "stop_token_ids": ([[0], [1] * 16], [[-1], [1] * 17, [True], 7]),
    "include_stop_str_in_output": ([True], [1]),
    "temperature": ([0, 2, 0.7], [-0.1, 2.1, "0", True]),
    "top_p": ([0.1, 1], [-0.1, 1.1]),
    "top_k": ([-1, 0, 50], [-2, 1.5]),
    "min_p": ([0, 1], [-0.1, 1.1]),
    "presence_penalty": ([-2, 2], [-2.1, 2.1]),
    "frequency_penalty": ([-2, 2], [-2.1, 2.1]),
    "repetition_penalty": ([0.01, 2], [0, 2.1, -1]),
    "repetition_detection": (
        [{"max_pattern_size": 5, "min_count": 3}, {"max_pattern_size": 5, "min_count": 3, "min_pattern_size": 2}],
        [{}, {"max_pattern_size": 5}, {"max_pattern_size": 0, "min_count": 3}, 7],
    ),
    "seed": ([0, -(2**63), 2**63 - 1], [2**63, -(2**63) - 1, 1.5]),
    "logit_bias": (
        [{}, {"5": -100, "6": 100.0}, {str(i): 1 for i in range(300)}],
        [{"5": 101}, {"five": 1}, {"-1": 1}, {"": 1}, {"²": 1}, {str(i): 1 for i in range(301)}, [], {"5": "1"}],
    ),
    "bad_words": ([["a"] * 32], [["a"] * 33, ["x" * 65], "a"]),
    "response_format": (
        [{"type": "text"}, {"type": "json_object"}, shaped(SCHEMA), shaped(SCHEMA, strict=True, description="d")],
        [
            {},
            "text",
            {"type": "json_schema"},
            {"type": "json_schema", "json_schema": {"name": "n"}},
            {"type": "structural_tag"},
            {"type": []},
            {"type": "text", "more": 1},
            shaped(SCHEMA, other=1),
            shaped(DEEP),
            shaped({"a": "x" * 70_000}),
            shaped([]),
        ],
    ),
    "structured_outputs": (
        [{"json": SCHEMA}, {"regex": "a+"}, {"choice": ["a"]}, {"grammar": "x", "disable_any_whitespace": True}],
        [
            {},
            {"json": SCHEMA, "regex": "a"},
            {"json": "text"},
            {"regex": "x" * 1025},
            {"choice": ["a"] * 257},
            {"choice": "a"},
            {"grammar": "x" * 16_385},
            {"structural_tag": "x"},
            {"json": DEEP},
            [],
        ],
    ),
    "thinking_token_budget": ([0, 100], [-1, 1.5]),
}
BOUNDS: dict[str, Bounds] = {
    "/v1/chat/completions": GENERATION
    | {
        "logprobs": ([True], [1, "true"]),
        "top_logprobs": ([0, 20], [-1, 21]),
        "tools": (
            [[], [TOOL], [TOOL] * 64],  # more do not fit the window of the engine that is asked
            [
                [TOOL] * 129,
                TOOL,
                [{}],
                [{"type": "function"}],
                [TOOL | {"x": 1}],
                [{"type": "code", "function": {}}],
                [7],
            ],
        ),
        "tool_choice": (
            ["none", "auto", "required", {"type": "function", "function": {"name": "f"}}],
            ["any", {}, {"type": "function"}, {"type": "function", "function": {}}, 7],
        ),
        "parallel_tool_calls": ([False], [0]),
        "reasoning_effort": (["none", "low", "max"], ["huge", 7, True]),
        "include_reasoning": ([True], ["yes"]),
    },
    "/v1/completions": GENERATION | {"logprobs": ([0, 5], [-1, 6, True, "1"])},
    "/v1/embeddings": {"dimensions": ([1, 65_536], [0, 65_537, 1.5, "384"])},
}
TABLES: dict[str, Table] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETIONS,
    "/v1/embeddings": EMBEDDINGS,
}
