"""The lines of the access log, as pytest caught them."""

import json
import logging
from typing import Any

import pytest

NAME = "tollgate.access"


def listened(caplog: pytest.LogCaptureFixture) -> None:
    """From here on they are caught."""
    caplog.set_level(logging.INFO, NAME)


def records(caplog: pytest.LogCaptureFixture, here: bool = False) -> list[list[str]]:
    """The lines that were written together; `here`: of no request, for a gateway that tests share may write its own."""
    told = [one.getMessage() for one in caplog.records if one.name == NAME]
    return [text.split("\n") for text in told if not (here and '"request_id"' in text)]


def lines(caplog: pytest.LogCaptureFixture, here: bool = False) -> list[dict[str, Any]]:
    return [json.loads(line) for together in records(caplog, here) for line in together]
