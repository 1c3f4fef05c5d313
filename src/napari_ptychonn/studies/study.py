"""Progress of a study, and what all studies have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, float | int | str | None]
"""One row of a study's table: plain values by column name."""

Summary = tuple[tuple[str, ...], Sequence[tuple[str, ...]]]
"""Column names and rows of text for a narrow dock."""


def finite(value: float) -> float | None:
    """Return the value, or None (an empty cell) for NaN and infinity."""
    return value if math.isfinite(value) else None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` of `total` units of the step that a study is at."""

    step: str
    done: int
    total: int


class Study(Protocol):
    """The finished points of a study."""

    @property
    def title(self) -> str:
        """The scan and the experiment."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """Options, as plain values."""
        ...

    @property
    def rows(self) -> list[Row]:
        """One row for each point, all with the same columns."""
        ...

    @property
    def summary(self) -> Summary:
        """The main numbers of each point."""
        ...

    @property
    def sentence(self) -> str:
        """The outcome in one sentence."""
        ...

    def figure(self) -> Figure:
        """Draw images and curves."""
        ...
