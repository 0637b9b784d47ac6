"""Every way a request can be refused or fail, drawn as a tree (`refusals.py`); what a client is told of it (`wire.py`).

    Refusal
    ├── Unauthenticated       no key, wrong key, revoked or expired
    ├── NotAllowed            the key may not use this model, prompt or collection
    ├── NotFound              unknown model, prompt, version, collection or route
    ├── InvalidValue          a malformed body, an unknown field, a bad variable
    ├── ContextLengthExceeded the prompt does not fit the context window
    ├── RequestTooLarge       one request is larger than its tenant may ever send
    ├── BodyTooLarge          more bytes than the server takes
    ├── UnsupportedEncoding   a compressed body
    ├── BodyTooSlow           the body did not arrive in time
    ├── WrongMethod           the path is known, the method is not
    ├── StillRunning          the request under this Idempotency-Key has no answer yet
    ├── KeyReused             this Idempotency-Key belongs to another request
    ├── NotKept               the answer under this Idempotency-Key was too large to keep
    ├── RateLimited           requests or tokens per minute used up
    ├── BudgetExceeded        a day's or month's budget used up
    ├── CacheOnly             the caller wanted a cached answer or none
    ├── Overloaded            gateway or backends full
    ├── Unavailable           every backend down
    ├── TimedOut              the backend was too slow
    ├── Unready               the gateway itself cannot answer: state, embedder or a collection's engine not there
    ├── ContentFilter         a guard refused what came in or what would go out
    ├── OutputTruncated       the answer was cut by length and the policy is `error`
    └── OutputInvalid         the answer does not satisfy its schema

Raisers give facts, never a status; constructors do not log.
"""

from gateway.errors.refusals import (
    BodyTooLarge,
    BodyTooSlow,
    BudgetExceeded,
    CacheOnly,
    ContentFilter,
    ContextLengthExceeded,
    InvalidValue,
    KeyReused,
    NotAllowed,
    NotFound,
    NotKept,
    OutputInvalid,
    OutputTruncated,
    Overloaded,
    RateLimited,
    Refusal,
    RequestTooLarge,
    StillRunning,
    TimedOut,
    Unauthenticated,
    Unavailable,
    Unready,
    UnsupportedEncoding,
    WrongMethod,
)
from gateway.errors.wire import LEFT, Wire

__all__ = [
    "LEFT",
    "BodyTooLarge",
    "BodyTooSlow",
    "BudgetExceeded",
    "CacheOnly",
    "ContentFilter",
    "ContextLengthExceeded",
    "InvalidValue",
    "KeyReused",
    "NotAllowed",
    "NotFound",
    "NotKept",
    "OutputInvalid",
    "OutputTruncated",
    "Overloaded",
    "RateLimited",
    "Refusal",
    "RequestTooLarge",
    "StillRunning",
    "TimedOut",
    "Unauthenticated",
    "Unavailable",
    "Unready",
    "UnsupportedEncoding",
    "Wire",
    "WrongMethod",
]
