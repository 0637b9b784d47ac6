"""What fails under chat's names is told under this API's."""

import pytest

from gateway.api.responses.names import RENAMED, refusal, told
from gateway.errors import InvalidValue, Wire


@pytest.mark.parametrize(("chats", "ours"), RENAMED.items())
def test_a_fields_name_in_param_and_message(chats: str, ours: str) -> None:
    body = refusal(Wire.of(InvalidValue(f"{chats} must be smaller", param=chats), "req_1"), "req_1")
    assert (body["error"]["param"], body["error"]["message"]) == (ours, f"{ours} must be smaller")


def test_what_has_one_name_stays_as_it_is() -> None:
    for param in ("temperature", None):
        wire = Wire.of(InvalidValue("the messages are wrong", param=param), "req_1")
        assert told(wire) == wire
