"""The lines of the access log, as pytest caught them."""

import json
import logging
from typing import Any

import pytest

NAME = "tollgate.access"


def listened(caplog: pytest.LogCaptureFixture) -> None:
    """From here on they are caught."""
    caplog.set_level(logging.INFO, NAME)


def records(caplog: pytest.LogCaptureFixture) -> list[list[str]]:
    """The lines that were written together."""
    return [record.getMessage().split("\n") for record in caplog.records if record.name == NAME]


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(line) for together in records(caplog) for line in together]
