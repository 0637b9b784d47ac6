"""Bodies that have broken servers: each must be refused as a bad request, and never quoted."""

CANARY = "canary-7f3a"

BODIES = {
    "empty": b"",
    "no object": b"[1]",
    "a string": b'"' + CANARY.encode() + b'"',
    "cut off": b'{"a": "' + CANARY.encode(),
    "lone surrogate": b'{"a": "\\ud800"}',
    "surrogate bytes": b'{"a": "\xed\xa0\x80"}',
    "invalid UTF-8": b'{"a": "\xff' + CANARY.encode() + b'"}',
    "byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "beyond a double": b'{"a": 1e999}',
    "5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "control character": b'{"a": "\x00"}',
    "trailing comma": b'{"a": 1,}',
    "two values": b'{"a": 1} {"b": 2}',
    "comment": b'{"a": 1 /* ' + CANARY.encode() + b" */}",
    "deeper than allowed": b'{"a": ' + b"[" * 32 + b"]" * 32 + b"}",
    "deeper than the parser": b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deep and open": b"[" * 500_000,
    "deep objects": b'{"a":' * 5000,
}
