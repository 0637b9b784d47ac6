"""Control tokens in a text: what the engine would take for the end of a turn or the beginning of one.

A server tokenizes the whole prompt that the chat template rendered, so that `<|im_end|>` inside a passage or a question
is the control token itself (vLLM 0.32: `<|im_start|>` in a message's content is one token, asked at /tokenize). A text
from strangers must therefore not hold one. `Control.neutral` breaks each up with a word joiner (U+2060), which has no
width and no meaning: the words stay readable, and no other byte changes.

Knows no request and no message: which texts are strangers' is the caller's business. Invariants: no listed token is
left in a neutral text, overlapping ones included; a text without any is the same text; twice changes nothing more.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

JOINER: Final = "\u2060"  # WORD JOINER (The Unicode Standard, 23.2): unlike U+200B it allows no line break either
# What the common families use, for models whose files are not here: ChatML (Qwen, SmolLM), Llama 2 and 3, Mistral,
# Gemma, Phi, DeepSeek, Command R, Granite, GLM, gpt-oss; with those that frame reasoning and tool calls.
_KNOWN = """
<|im_start|> <|im_end|> <|im_sep|> <|endoftext|> <|endofprompt|> <|object_ref_start|> <|object_ref_end|>
<|begin_of_text|> <|end_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|> <|eom_id|> <|python_tag|>
<s> </s> [INST] [/INST] <<SYS>> <</SYS>> [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS]
[TOOL_CALLS] [TOOL_RESULTS] [/TOOL_RESULTS] [TOOL_CONTENT] [ARGS] [CALL_ID] [THINK] [/THINK] [IMG] [PREFIX]
[MIDDLE] [SUFFIX] <bos> <eos> <pad> <unk> <start_of_turn> <end_of_turn> <|user|> <|assistant|> <|system|> <|end|>
<|observation|> <|tool|> <|tool_call|> <|tool_response|> [gMASK] <sop> <｜User｜> <｜Assistant｜>
<｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <｜tool▁calls▁begin｜> <｜tool▁call▁begin｜> <｜tool▁sep｜>
<｜tool▁call▁end｜> <｜tool▁calls▁end｜> <|START_OF_TURN_TOKEN|> <|END_OF_TURN_TOKEN|> <|USER_TOKEN|>
<|CHATBOT_TOKEN|> <|SYSTEM_TOKEN|> <|start_of_role|> <|end_of_role|> <|start|> <|message|> <|channel|>
<|constrain|> <|return|> <|call|> <|fim_prefix|> <|fim_middle|> <|fim_suffix|>
<think> </think> <tool_call> </tool_call> <tool_response> </tool_response>
"""
KNOWN: Final = frozenset(_KNOWN.split())


class Control:
    """The control tokens of one model or of several. Those of a single character are left out: nothing breaks them."""

    def __init__(self, tokens: Iterable[str] = KNOWN) -> None:
        self.tokens: Final = frozenset(token for token in tokens if len(token) > 1)
        # Looking ahead finds a token at every place, also where it begins inside another one. With the first characters
        # apart a text is only searched for these: 100 KB take 1 ms, where one list of tokens took 0.3 s.
        rests: dict[str, list[str]] = {}
        for token in sorted(self.tokens):
            rests.setdefault(token[0], []).append(re.escape(token[1:]))
        begins = "|".join(f"{re.escape(first)}(?={'|'.join(rest)})" for first, rest in rests.items())
        self._begins = re.compile(begins) if begins else None

    def neutral(self, text: str) -> str:
        """The text without control tokens: each is broken up after its first character."""
        return self._begins.sub(rf"\g<0>{JOINER}", text) if self._begins else text

    def neutral_all(self, value: Any) -> Any:
        """The same of every text in a JSON value, the names in its objects among them."""
        if isinstance(value, str):
            return self.neutral(value)
        if isinstance(value, Mapping):
            return {self.neutral(name): self.neutral_all(one) for name, one in value.items()}
        return [self.neutral_all(one) for one in value] if isinstance(value, list | tuple) else value

    def __or__(self, other: "Control") -> "Control":
        return self if other.tokens <= self.tokens else _joined(self, other)


KNOWN_CONTROL: Final = Control()


@lru_cache(64)  # models that stand in for each other are few; their expression takes 0.1 ms to make
def _joined(one: Control, other: Control) -> Control:
    return Control(one.tokens | other.tokens)


def load(model_dir: Path) -> Control:
    """The control tokens in a model's tokenizer.json. Raises OSError, ValueError or KeyError where it cannot be used.

    They are those it calls special and the known marks among the others (`<tool_call>`, `<think>`): some models add
    plain text as well, such as runs of spaces.
    """
    added = orjson.loads((model_dir / "tokenizer.json").read_bytes()).get("added_tokens") or []
    return Control(token["content"] for token in added if token["special"] or token["content"] in KNOWN)
