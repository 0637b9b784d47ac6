from typing import Any

import pytest

from serving.content_format import content_format
from serving.template import _environment
from tests.serving.conftest import SOURCES


@pytest.mark.parametrize("name", SOURCES)
def test_the_format_is_the_one_vllm_detects(oracle: Any, name: str) -> None:
    assert content_format(_environment().parse(SOURCES[name])) == oracle[name]["format"]


def test_the_templates_have_both_formats(oracle: Any) -> None:
    assert {name: said["format"] for name, said in oracle.items()} == {
        "parts": "openai",
        "macro": "openai",
        "alias": "openai",
        "named": "openai",
        "strict": "string",
        "everything": "string",
        "decoy": "string",
    }
