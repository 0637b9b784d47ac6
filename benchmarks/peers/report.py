"""The tables of the comparison: every figure of every round, by gateway and column. Measures nothing."""

from collections import defaultdict
from collections.abc import Sequence
from math import isnan

from benchmarks.overhead import spread
from benchmarks.peers.measure import CLOSED, LOW, LOW_STREAMS, PACED, Measure, Seen

DIRECT = "direct"
LATENCIES = {"+p50 us": "latency_p50", "+p99 us": "latency_p99"}
FIRSTS = {"first token +p50 us": "first_p50", "first token +p99 us": "first_p99"}
WAYS = {"each token +p50 us": "way_p50", "each token +p99 us": "way_p99"}
ADDED = {LOW.name: LATENCIES, LOW_STREAMS.name: FIRSTS | WAYS}
COSTS = ("start s", "RSS idle MiB", "RSS at most MiB", "installed MB")
TABLES = {
    "requests": [f"{m.name} {what}" for m in CLOSED for what in ("requests/s", "CPU us", "others %")],
    f"{PACED.clients} streams": ["tokens/s", "CPU us/token", "first token p50 ms", "others %"],
    "low load": [*LATENCIES, *FIRSTS, *WAYS],
    "costs": list(COSTS),
}


class Report:
    """Collects figures; `str` is the tables and, below them, what went wrong."""

    def __init__(self) -> None:
        self._rows: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._rows[DIRECT].clear()  # its line comes first
        self._faults: list[str] = []

    def add(self, gateway: str, column: str, value: float) -> None:
        self._rows[gateway][column].append(value)

    def fault(self, gateway: str, what: str) -> None:
        self._faults.append(f"{gateway}: {what}")

    def saw(self, gateway: str, measure: Measure, seen: Seen, base: Seen) -> None:
        """`base` is what `direct` saw of the same measure in the same round."""
        for fault in seen.faults:
            self.fault(gateway, f"{measure.name}: {fault}")
        if measure.low:
            for column, name in ADDED[measure.name].items():
                before = 0.0 if gateway == DIRECT else getattr(base.load, name)
                self.add(gateway, column, getattr(seen.load, name) - before)
        elif measure is PACED:
            self.add(gateway, "tokens/s", seen.load.token_rate)
            self.add(gateway, "first token p50 ms", seen.load.first_p50 / 1e3)
            self._cpu(gateway, "CPU us/token", "others %", seen, seen.load.tokens)
        else:
            self.add(gateway, f"{measure.name} requests/s", seen.load.requests)
            self._cpu(gateway, f"{measure.name} CPU us", f"{measure.name} others %", seen, seen.load.sent)

    def _cpu(self, gateway: str, column: str, others: str, seen: Seen, count: int) -> None:
        if gateway != DIRECT and count:
            self.add(gateway, column, seen.cpu / count * 1e6)
            self.add(gateway, others, seen.others * 100)

    def __str__(self) -> str:
        tables = (self._table(title, columns) for title, columns in TABLES.items())
        return "\n\n".join((*tables, *self._faults))

    def _table(self, title: str, columns: Sequence[str]) -> str:
        """Markdown: one line a gateway that has any of these figures, one column a figure."""
        lines = [[title, *columns], ["---"] * (len(columns) + 1)]
        for name, row in self._rows.items():
            if row.keys() & set(columns):
                lines.append([name, *(cell(row.get(column, ())) for column in columns)])
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(values: Sequence[float]) -> str:
    """min/median/max of the rounds that saw something; a dash where none did."""
    known = [value for value in values if not isnan(value)]
    if not known:
        return "-"
    return spread(known) if len(known) > 1 else spread(known).partition("/")[0]
