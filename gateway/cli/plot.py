"""Lines in a picture, for commands that have a `--plot FILE`. Knows nothing of what they mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

INCHES: Final = (7, 4.5)  # fits a page's column and a slide


def lines(path: Path, series: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str, title: str) -> None:
    """Draw one line for each of `series`, which have points (x, y) in rising order of x, into a file whose suffix says
    its format: png, svg, pdf.

    Raises OSError, and ValueError for a format that matplotlib has not.
    """
    from matplotlib.figure import Figure  # half a second to import, which no other command should wait for

    figure = Figure(INCHES, layout="constrained")
    axes = figure.subplots()
    for name, points in series.items():
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
    axes.set(xlabel=x, ylabel=y, title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
