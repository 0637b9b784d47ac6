"""The auditor: compares the store with what the backend really wrote and what clients really saw.

The invariants are those of the ledger's promise:

I1 used + held is never above a limit, in any window, in any sixty seconds
I2 when all is quiet nothing is held, and the counters are the sums of the rows
I3 whatever was sent, answered or refused by a limit has exactly one row
I4 tokens of a priced model cost something, those of an unpriced one have no cost
I5 the row's tokens are those that the backend wrote: exactly, unless the answer was cut
I6 no row without a tenant

`faults` is pure: books, requests and replies in, sentences out. Knows no process and no gateway code.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes.backend import PROMPT_TOKENS, Seen
from tests.harness.books import Account, Books, admitted
from tests.harness.client import Reply

SHOWN = 5  # of one kind of fault
# Refused before there is a call to account for.
NO_CALL = {"invalid_api_key", "overloaded", "body_too_large", "invalid_value", "state_unavailable", "body_timeout"}
CUT = {0, 499, 504}  # the process died, the client left, the gateway gave up waiting: the backend may have said more
STOPPED = "overloaded"  # so does a gateway that stops
DIED = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What happened outside the store. `checkpoint` bounds the tokens that a killed process may not have noted.

    `window` bounds those under way to a gateway that stopped reading.
    """

    seen: Sequence[Seen] = ()
    replies: Sequence[Reply] = ()
    priced: Container[str] = ("small", "hasty")
    checkpoint: int = 256


def assert_clean(books: Books, evidence: Evidence) -> None:
    found = list(faults(books, evidence))
    assert not found, "\n".join(found)


def faults(books: Books, evidence: Evidence) -> Iterator[str]:
    """A sentence for each breach, a few of each kind and how many there are."""
    sent = _by_request(evidence.seen)
    kinds: dict[str, Iterable[str]] = {
        "I1 overspent": overspent(books),
        "I2 not settled": unsettled(books),
        "I2 counters are not the rows' sums": uncounted(books),
        "I2 Redis is not the ledger": unshared(books),
        "I3 not one row": rowless(books, evidence, sent),
        "I4 free tokens": free(books.rows, evidence.priced),
        "I5 tokens differ": miscounted(books.rows, evidence, sent),
        "I6 nobody's row": nobodys(books),
    }
    for kind, sentences in kinds.items():
        all_of_them = list(sentences)
        yield from (f"{kind}: {sentence}" for sentence in all_of_them[:SHOWN])
        if len(all_of_them) > SHOWN:
            yield f"{kind}: and {len(all_of_them) - SHOWN} more"


def overspent(books: Books) -> Iterator[str]:
    for (scope, name), limits in books.limits.items():
        for limit in limits:
            meter = [a for a in books.accounts if a[:4] == (scope, name, limit.unit, limit.window)]
            worst = max((_standing(meter, account.start) for account in meter), default=0)
            if worst > limit.amount:
                yield f"{scope} {name}: {worst} {limit.unit} in one {limit.window}, {limit.amount} allowed"


def _standing(meter: Iterable[Account], at: int) -> int:
    """What counts at one moment: a calendar window has one counter, a sliding minute those of 61 seconds."""
    return sum(account.used + account.held for account in meter if account.start <= at < account.end)


def unsettled(books: Books) -> Iterator[str]:
    yield from (f"request {request_id} is still held" for request_id in sorted(books.open))
    yield from (f"{account}" for account in books.accounts if account.held)


def uncounted(books: Books) -> Iterator[str]:
    """Every limit by day or month, over all its windows; minutes are forgotten as they slide out."""
    used: Counter[tuple[str, ...]] = Counter()
    for account in books.accounts:
        used[account[:4]] += account.used
    for scope in ("tenant", "key"):
        sums = _sums(books, scope)
        for meter, counted in used.items():
            if meter[0] == scope and meter[3] != "minute" and counted != sums[meter[1]][meter[2]]:
                yield f"{meter} stands at {counted}, its rows say {sums[meter[1]][meter[2]]}"


def unshared(books: Books) -> Iterator[str]:
    """Redis has no more and no less than the ledger, window by window; minutes slide out of both at their own pace."""
    if books.shared is None:
        return
    ledger = {account[:5]: account.used for account in books.accounts}
    for account in books.shared:
        if account.held:
            yield f"{account} in Redis"
        if account.window != "minute" and account.used != ledger.get(account[:5], 0):
            yield f"{account[:5]} stands at {account.used} in Redis, the ledger says {ledger.get(account[:5], 0)}"


def quiet(books: Books) -> bool:
    """Whether everything has been settled, everywhere."""
    return not any(unsettled(books)) and not any(unshared(books))


def _sums(books: Books, scope: str) -> Mapping[str, Counter[str]]:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for row in books.rows:
        sums[row[scope]].update(requests=int(_counts(row)), tokens=_tokens(row), usd=row["cost_nano"] or 0)
    return sums


def _counts(row: Mapping[str, Any]) -> bool:
    """As a request: it was admitted. What died before it sent anything is given back whole, and has no tokens."""
    return _tokens(row) > 0 if row["error"] == "process_died" else admitted(row)


def rowless(books: Books, evidence: Evidence, sent: Mapping[str, list[Seen]]) -> Iterator[str]:
    rows = Counter(row["request_id"] for row in books.rows)
    answered = {reply.request_id for reply in evidence.replies if reply.status and reply.code not in NO_CALL}
    for request_id in sorted((answered | set(sent)) - {""}):
        if rows[request_id] != 1 and request_id not in books.open:
            yield f"{request_id} has {rows[request_id]} rows"
    yield from (f"{request_id} has {count} rows" for request_id, count in rows.items() if count > 1)


def free(rows: Iterable[Mapping[str, Any]], priced: Container[str]) -> Iterator[str]:
    for row in rows:
        costs, tokens = row["cost_nano"], _tokens(row)
        if row["model"] in priced and tokens and not costs:
            yield f"{row['request_id']}: {tokens} tokens of {row['model']} cost {costs}"
        if row["model"] and row["model"] not in priced and costs is not None:
            yield f"{row['request_id']}: {row['model']} has no price, its row says {costs}"


def miscounted(rows: Iterable[Mapping[str, Any]], evidence: Evidence, sent: Mapping[str, list[Seen]]) -> Iterator[str]:
    replies = {reply.request_id: reply for reply in evidence.replies}
    for row in rows:
        seen = sent.get(row["request_id"], [])
        if any(one.lied for one in seen):
            continue  # I1 and I4 bound what a lie can do
        told, wrote = row["output_tokens"] or 0, sum(one.tokens for one in seen)
        reply = replies.get(row["request_id"])
        if not _least(row, wrote, reply, evidence.checkpoint) <= told <= wrote:
            yield f"{row['request_id']} ({row['status']}, {row['error']}): {told} tokens booked, {wrote} written"
        prompts = PROMPT_TOKENS * sum(bool(one.tokens) for one in seen)
        if not _cut(row) and (row["input_tokens"] or 0) < prompts:
            yield f"{row['request_id']}: {row['input_tokens']} prompt tokens booked, {prompts} read"


def _least(row: Mapping[str, Any], wrote: int, reply: Reply | None, checkpoint: int) -> int:
    """The fewest tokens that may be booked."""
    if row["status"] == DIED:
        return wrote - checkpoint
    return (reply.said if reply else 0) if _cut(row) else wrote


def _cut(row: Mapping[str, Any]) -> bool:
    return row["status"] in CUT or row["error"] == STOPPED


def nobodys(books: Books) -> Iterator[str]:
    for row in books.rows:
        if not row["tenant"] or (books.limits and row["tenant"] not in books.tenants):
            yield f"{row['request_id']} belongs to {row['tenant']!r}"


def _tokens(row: Mapping[str, Any]) -> int:
    return (row["input_tokens"] or 0) + (row["output_tokens"] or 0)


def _by_request(seen: Iterable[Seen]) -> Mapping[str, list[Seen]]:
    found: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        if one.request_id:
            found[one.request_id].append(one)
    return found
