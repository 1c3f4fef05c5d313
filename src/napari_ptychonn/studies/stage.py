"""How far a study is, and what all studies are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ShouldStop = Callable[[], bool]

Row = dict[str, float | int | str | None]
"""One line of a study's table: names of columns and plain values."""


Summary = tuple[tuple[str, ...], Sequence[tuple[str, ...]]]
"""Names of a few columns, and lines of text: what fits into a narrow dock."""


def finite(value: float) -> float | None:
    """A number for a table; None, an empty cell, where it is none."""
    return value if math.isfinite(value) else None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a study does now: `done` of `total` steps of `what`."""

    what: str
    done: int
    total: int


class Study(Protocol):
    """The finished points of a study."""

    @property
    def title(self) -> str:
        """What was studied, on which scan."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """With which options, as plain values."""
        ...

    @property
    def rows(self) -> list[Row]:
        """One row to a point, the same columns in each."""
        ...

    @property
    def summary(self) -> Summary:
        """What matters most of each point."""
        ...

    @property
    def sentence(self) -> str:
        """What came out, for a person."""
        ...

    def figure(self) -> Figure:
        """One picture of it all."""
        ...
