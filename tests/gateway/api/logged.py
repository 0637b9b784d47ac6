"""The lines of the access log, as pytest caught them."""

import json
import logging
import threading
from typing import Any

import pytest

NAME = "tollgate.access"


def listened(caplog: pytest.LogCaptureFixture) -> None:
    """From here on they are caught."""
    caplog.set_level(logging.INFO, NAME)


def records(caplog: pytest.LogCaptureFixture, here: bool = False) -> list[list[str]]:
    """The lines that were written together; `here`: by this thread, for a gateway that tests share has its own."""
    mine = threading.get_ident()
    told = [one for one in caplog.records if one.name == NAME and (not here or one.thread == mine)]
    return [record.getMessage().split("\n") for record in told]


def lines(caplog: pytest.LogCaptureFixture, here: bool = False) -> list[dict[str, Any]]:
    return [json.loads(line) for together in records(caplog, here) for line in together]
