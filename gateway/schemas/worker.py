"""The process that compiles and judges what might be slow: `python -m gateway.schemas.worker DESCRIPTOR MEMORY`.

Reads three messages, a schema, a text and how many faults to tell (0: compile only), and answers with a JSON object:
`refused`, or `faults` and `flags`. Knows no time: whoever asks ends it when it takes too long. It ends with its asker.
"""

import json
import resource
import sys
from collections import OrderedDict
from multiprocessing.connection import Connection

import orjson

from gateway.schemas.validators import Judged, Unusable, Validator, judged
from gateway.schemas.workers import READY

KEPT = 64  # compiled validators


def main(descriptor: int, memory: int) -> None:
    """`memory` in MiB, of address space."""
    resource.setrlimit(resource.RLIMIT_AS, (memory << 20, memory << 20))
    kept: OrderedDict[bytes, Validator] = OrderedDict()
    with Connection(descriptor) as asker:
        asker.send_bytes(READY)
        while True:
            try:
                schema, text, most = asker.recv_bytes(), asker.recv_bytes(), int(asker.recv_bytes())
            except EOFError:
                return
            asker.send_bytes(orjson.dumps(_answer(kept, schema, text, most)))


def _answer(kept: OrderedDict[bytes, Validator], schema: bytes, text: bytes, most: int) -> dict[str, object]:
    try:
        validator = kept.pop(schema, None) or Validator(json.loads(schema), schema)
    except Unusable as error:
        return {"refused": str(error)}
    kept[schema] = validator
    if len(kept) > KEPT:
        kept.popitem(last=False)
    found = judged(validator, text, most) if most else Judged()
    return {"faults": found.faults, "flags": found.flags}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
