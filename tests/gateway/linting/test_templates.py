"""What there is to warn of in the schemas of templates, told when they are taken up."""

import logging
from pathlib import Path

import pytest

from gateway.linting.templates import log_warnings
from prompts.library import Library

PROMPT = """---
description: Lists numbers.
variables: {}
output_schema:
  type: array
  items: {type: integer}
  uniqueItems: true
---
{% message role="user" %}
List some numbers.
{% endmessage %}
"""


def test_each_is_logged_with_its_prompt_and_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "numbers.md.j2").write_text(PROMPT)
    with caplog.at_level(logging.WARNING, "tollgate.prompts"):
        log_warnings(Library.load(tmp_path))
    assert len(caplog.messages) == 1
    assert "'numbers': output_schema at the top: the engine refuses uniqueItems" in caplog.text
