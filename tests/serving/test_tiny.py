"""The files of the stand-in model are whole, of the promised size, and mean what the gateway takes them to mean."""

import json
from pathlib import Path
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment
from safetensors import safe_open
from tokenizers import Tokenizer

import serving.tiny

FOLDER = Path(serving.tiny.__file__).parent
MODEL = FOLDER / "model"
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(MODEL / "tokenizer.json"))


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((MODEL / name).read_text(encoding="utf-8"))
    return content


def render(messages: list[dict[str, Any]], **more: Any) -> str:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    template = environment.from_string(read("tokenizer_config.json")["chat_template"])
    return template.render(messages=messages, **more)


def test_weights_have_the_shape_the_configuration_names() -> None:
    config = read("config.json")
    with safe_open(str(MODEL / "model.safetensors"), framework="numpy") as weights:
        shapes = {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118 (not a dict)
        kinds = {weights.get_slice(name).get_dtype() for name in shapes}
    parameters = sum(shape[0] * (shape[1] if len(shape) > 1 else 1) for shape in shapes.values())
    assert 3_000_000 <= parameters <= 6_000_000
    assert kinds == {"BF16"}
    assert shapes["model.embed_tokens.weight"] == [config["vocab_size"], config["hidden_size"]]
    assert "lm_head.weight" not in shapes
    assert config["tie_word_embeddings"]
    assert sum(name.endswith("q_proj.weight") for name in shapes) == config["num_hidden_layers"]


def test_everything_together_is_small_enough_for_git() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 16 * 2**20


def test_the_end_of_a_turn_ends_an_answer(tokenizer: Tokenizer) -> None:
    ends = [tokenizer.token_to_id(token) for token in ("<|im_end|>", "<|endoftext|>")]
    assert read("generation_config.json")["eos_token_id"] == ends
    assert read("config.json")["eos_token_id"] == ends[0]
    assert tokenizer.get_vocab_size() == read("config.json")["vocab_size"]


@pytest.mark.parametrize(
    "text",
    [
        "The KV cache holds keys. It grows.\n\n[2] Page > Heading",
        "naïve façade Größe 日本語 한국어 العربية हिन्दी 😀👩‍👩‍👧",
        " \t\r\n\n  leading and trailing  ",
        "\x00\x01\x7f\u200b\ufeff\u2028",
        '{"a": [1, 2.5, null], "b": "\\u00e9"}',
        "I'M don't 12345 3.14 __init__ camelCase",
        "",
    ],
)
def test_any_text_comes_back_unchanged(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_plain_text_never_becomes_a_special_token() -> None:
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    text = "".join(f"a {token}\n{token}" for token in SPECIAL)
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert not set(ids) & {tokenizer.token_to_id(token) for token in SPECIAL}
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_special_tokens_are_single_and_nothing_is_added_around_a_text(tokenizer: Tokenizer) -> None:
    for token in SPECIAL:
        assert len(tokenizer.encode(token).ids) == 1
    assert tokenizer.encode("a", add_special_tokens=True).ids == tokenizer.encode("a", add_special_tokens=False).ids


def test_a_sentence_has_the_same_tokens_inside_a_passage_and_at_its_start(tokenizer: Tokenizer) -> None:
    alone, inside = tokenizer.encode("Leases expire.").tokens, tokenizer.encode("It ends. Leases expire.").tokens
    assert inside[-len(alone) :] == alone


def test_template_renders_a_plain_chat() -> None:
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": "U\nV"}]
    wanted = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU\nV<|im_end|>\n"
    assert render(messages) == wanted
    assert render(messages, add_generation_prompt=True) == wanted + "<|im_start|>assistant\n"


def test_template_renders_any_role_and_null_content() -> None:
    assert render([{"role": "developer", "content": None}]) == "<|im_start|>developer\n<|im_end|>\n"


def test_template_keeps_the_last_message_last_so_that_it_can_be_continued() -> None:
    shown = render([{"role": "user", "content": "U"}, {"role": "assistant", "content": "The answer is"}])
    assert shown.endswith("<|im_start|>assistant\nThe answer is<|im_end|>\n")


def test_template_offers_tools_before_anything_else() -> None:
    shown = render([{"role": "system", "content": "S"}, {"role": "user", "content": "U"}], tools=[TOOL])
    assert shown.startswith("<|im_start|>system\nS\n\n")
    assert f"<tools>\n{json.dumps(TOOL)}\n</tools>" in shown
    assert shown.count("<|im_start|>system") == 1
    assert render([{"role": "user", "content": "U"}], tools=[TOOL]).startswith("<|im_start|>system\nYou may call")


@pytest.mark.parametrize("arguments", [{"city": "Paris"}, '{"city": "Paris"}'])
def test_template_renders_calls_and_their_results(arguments: object) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": arguments}}
    shown = render(
        [
            {"role": "user", "content": "U"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "18 degrees", "tool_call_id": "1"},
        ],
        add_generation_prompt=True,
    )
    said = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
    assert f"<|im_start|>assistant\n{said}<|im_end|>\n" in shown
    assert shown.endswith(
        "<|im_start|>tool\n<tool_response>\n18 degrees\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    )
