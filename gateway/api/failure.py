"""A failure on its way out: what the client is told, and what the log is; before and after the first byte alike."""

import logging
import traceback

from gateway.errors import Wire
from gateway.state import StateUnavailable

log = logging.getLogger("tollgate.api")


def wire_of(error: BaseException, request_id: str) -> Wire:
    """What the client is told of `error`. A bug is logged, once, here; so is why the state could not answer.

    Of a bug the log has its class and where it happened, but not its text, which may quote what a client sent.
    """
    wire = Wire.of(error, request_id)
    if isinstance(error, StateUnavailable):
        log.warning("request %s was refused: %s", request_id, error)
    if wire.status == 500:
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("request %s failed on %s\n%s", request_id, type(error).__name__, where)
    return wire
