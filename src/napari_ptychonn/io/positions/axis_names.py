"""Which columns or datasets are x and y, by their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from napari_ptychonn.io.units import Unit, unit_in_name

_X_AND_Y = (
    ("horizontal", "vertical"), ("horiz", "vert"), ("horz", "vert"), ("hor", "ver"),
    ("hor", "vert"), ("column", "row"), ("col", "row"), ("h", "v"), ("x", "y"),
)  # fmt: skip
_AXIS = "ʘ"
"""Stands for the word of an axis: a letter, so that what is around it stays one word."""

_FILLERS = re.compile(r"position|pos|coordinates?|coords?|motor|stage|sample|sam|axis")
_DEMANDED = re.compile(r"set|dmd|demand|target|nominal|cmd|command|request|goal|plan|val(?:ue)?$")
_MEASURED = re.compile(
    r"rbv|readback|read|act|meas|enc|interf|average|mean|real|laser|monitor|fzp", re.I
)
_NO_POSITION = re.compile(
    r"err|std|sigma|rms|dev|vel|speed|tilt|angle|acc|force|grad|pixel_?size|beam|cent(?:er|re)|"
    r"tune|gain|offset|shift|size|index|idx|step|det"
)


@dataclass(frozen=True, kw_only=True)
class AxisNames:
    """Places of y and x among some names, and the units that the names give.

    Attributes
    ----------
    y, x : int
        Places.
    units : tuple of Unit or None
        Of y and x.
    others : tuple of (int, int)
        Further pairs (y, x) that could be meant as well.
    """

    y: int
    x: int
    units: tuple[Unit | None, Unit | None]
    others: tuple[tuple[int, int], ...] = ()


def find_axes(names: Sequence[str]) -> AxisNames | None:
    """Find two names that differ in naming one axis each: samx and samy, X (µm) and Y (mm)."""
    found: dict[tuple[int, int], tuple[float, AxisNames]] = {}
    of_y = defaultdict(list)
    for j, name in enumerate(names):
        for stem, word, unit in _keys(name, 1):
            of_y[stem].append((j, word, unit))
    for i, name in enumerate(names):
        for stem, word_x, unit_x in _keys(name, 0):
            for j, word_y, unit_y in of_y[stem]:
                if i != j and (word_x, word_y) in _X_AND_Y:
                    pair = AxisNames(y=j, x=i, units=(unit_y, unit_x))
                    found.setdefault((j, i), (_preference(f"{name} {names[j]}"), pair))
    if not found:
        return None
    best = max(score for score, _ in found.values())
    equal = [pair for score, pair in found.values() if score == best]
    first = equal[0]
    return AxisNames(
        y=first.y,
        x=first.x,
        units=first.units,
        others=tuple((pair.y, pair.x) for pair in equal[1:]),
    )


def _keys(name: str, axis: int) -> Iterator[tuple[str, str, Unit | None]]:
    """Yield the name with each word for an axis left out, that word, and the unit."""
    low = name.lower()
    for words in dict.fromkeys(pair[axis] for pair in _X_AND_Y):
        for match in re.finditer(words, low):
            rest = name[: match.start()] + _AXIS + name[match.end() :]
            unit = unit_in_name(rest)
            yield _stem(rest, unit), words, unit


def _stem(name: str, unit: Unit | None) -> str:
    """What two names have in common: neither the unit, nor signs, nor words for a stage."""
    if unit is not None:
        head, _, tail = name.rpartition(unit.text)
        name = head + tail
    plain = re.sub(rf"[^a-z0-9{_AXIS}]", "", name.lower())
    return _FILLERS.sub("", plain)


def _preference(names: str) -> float:
    names = names.lower()
    return (
        2.0 * bool(_MEASURED.search(names))
        - 2.0 * bool(_DEMANDED.search(names))
        - 5.0 * bool(_NO_POSITION.search(names))
    )
