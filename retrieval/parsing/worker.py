"""The process that parses: `python -m retrieval.parsing.worker N MEMORY SECONDS`, N being its end of a socket.

It opens no file of a collection by itself: descriptors come in, and documents go out. `sandbox` is the other end.
Once READY was sent, each file is a conversation:

    in   {"id", "skip"}, then a descriptor
    out  {"id", "digest", "at"}          for each document in it, the first `skip` of them left out
    in   b"1"                            or b"0": it is known already
    out  {"document"} or {"failure"}     where it was asked for
    out  {"failure"}                     where the rest of the file cannot be read
    out  {}                              at the end
"""

import hashlib
import os
import sys
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import IO, Any, Final

import orjson

from retrieval.document import Source, Unreadable
from retrieval.parsing.formats import Format, format_of, parse
from retrieval.parsing.limits import Limits

READY: Final = b"ready"


def main() -> None:
    end, memory, seconds = map(int, sys.argv[1:])
    limits = Limits(memory, seconds)
    limits.confine()
    with Connection(end) as parent:
        parent.send_bytes(READY)
        while True:
            try:
                asked = orjson.loads(parent.recv_bytes())
            except EOFError:
                return
            with os.fdopen(recv_handle(parent), "rb") as file:
                _read(parent, file, asked["id"], asked["skip"], limits)


def _read(parent: Connection, file: IO[bytes], name: str, skip: int, limits: Limits) -> None:
    format = format_of(name)
    assert format is not None  # the parent sends no other
    limits.begin()
    count = 0
    try:
        for count, source in enumerate(format.sources(file, name), 1):
            if count <= skip:
                continue
            _send(parent, {"id": source.id, "digest": _digest(source), "at": source.at})
            if parent.recv_bytes() == b"1":
                _send(parent, _result(source, format, limits))
            limits.begin()
    except MemoryError:
        _send(parent, {"failure": limits.out_of_memory})
    except Exception as error:  # over a broken archive its reader raises whatever it stumbles upon
        _send(parent, {"failure": f"cannot be read to its end ({type(error).__name__})"})
    else:
        if not count:
            _send(parent, {"failure": "holds no document"})
    _send(parent, {})


def _result(source: Source, format: Format, limits: Limits) -> dict[str, Any]:
    try:
        return {"document": parse(source, format)}
    except Unreadable as error:
        return {"failure": error.reason}
    except MemoryError:
        return {"failure": limits.out_of_memory}
    except Exception as error:  # a parser that fails over one file must not end the build
        return {"failure": f"cannot be parsed ({type(error).__name__})"}


def _digest(source: Source) -> str:
    return hashlib.sha256(f"{source.id}\0{source.problem}\0".encode() + source.data).hexdigest()


def _send(parent: Connection, message: dict[str, Any]) -> None:
    parent.send_bytes(orjson.dumps(message))


if __name__ == "__main__":
    main()
