"""Rank the datasets of a file as candidates for each role, the likeliest first."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from napari_ptychonn.io.containers.entry import Entry
from napari_ptychonn.io.mapping.mapping import DatasetMapping, DatasetRef
from napari_ptychonn.io.mapping.roles import Role, factors_of
from napari_ptychonn.io.units import unit_in_name

_FRAMES = re.compile(
    r"diff|^dp$|data|pattern|frame|intensit|ptychogram|reciprocal|image|stack|det|arr_0", re.I
)
_NOT_FRAMES = re.compile(
    r"probe|prb|object|obj$|illum|mask|dark|flat|white|background|predict|mosaic|weight|modes|gain",
    re.I,
)
_POSITIONS = re.compile(r"pos|transl|scan|coord|encoder|points|motor|stage|piezo|^xy|^yx", re.I)
_COUNTERS = re.compile(
    r"time|stamp|count|index|number|trigger|ring|current|monitor|dose|temper|energy|loss|epoch|i0",
    re.I,
)
_PROBE = re.compile(r"probe|prb|illum", re.I)
_OBJECT = re.compile(r"obj|sample|recon|image", re.I)
_MASK = re.compile(r"mask|bad|valid|good|dead", re.I)

_NAMES: Mapping[Role, re.Pattern[str]] = {
    "energy": re.compile(r"energy|(^|_|e)k?ev$|mono_?e$", re.I),
    "wavelength": re.compile(r"wave_?len|lambda", re.I),
    "distance": re.compile(r"dist|camera_?length|^zo?(_m+)?$|det\w*_z$", re.I),
    "pitch": re.compile(r"(det\w*|ccd|cam\w*|[xy])_?pixel|pixel_?(pitch|size)|pitch|^dxd$", re.I),
    "pixel": re.compile(r"(obj\w*|img|image|recon\w*)_?pixel|pixel_?size|psize|dx_spec|^dx[op]?$",
                        re.I),
}  # fmt: skip
_OTHERS: Mapping[Role, re.Pattern[str]] = {
    "energy": re.compile(r"machine|ring|electron|storage", re.I),
    "pitch": re.compile(r"obj|img|image|recon|probe", re.I),
    "pixel": re.compile(r"det|ccd|cam", re.I),
}
_DETECTOR_PIXELS = (1e-6, 1e-2)
"""Metres: a 'pixel_size' of 75e-6 is that of the detector, one of 1e-8 or of 10 (nm) is not."""

_SMALLEST_FRAME = 8
_PLAUSIBLE = 5.5
_MOST = 300


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A dataset or attribute that can have a role.

    Attributes
    ----------
    branch : Branch
        What it is; its path may have a '*' for a series of arrays.
    score : float
        Higher is likelier.
    unit : str
        What its name says about its unit, one of `UNITS`; else ''.
    """

    branch: Entry
    score: float
    unit: str = ""

    @property
    def pick(self) -> DatasetRef:
        """What choosing it comes to."""
        return DatasetRef(path=self.branch.path, unit=self.unit)

    @property
    def is_plausible(self) -> bool:
        """Whether it may be chosen without asking."""
        return self.score >= _PLAUSIBLE


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The arrays and numbers of a file, to be ranked for each role.

    Attributes
    ----------
    arrays : tuple of Branch
        Every array that can be read.
    numbers : tuple of Branch
        Single numbers, and two or three together: datasets and attributes.
    """

    arrays: tuple[Entry, ...]
    numbers: tuple[Entry, ...] = ()

    def candidates(self, role: Role, picks: Mapping[Role, DatasetRef]) -> list[Candidate]:
        """List what can have a role, given what the others are; the likeliest first.

        Parameters
        ----------
        role : str
            See `DatasetMapping`.
        picks : mapping of str to Pick
            The frames decide how many positions there are and what a mask looks
            like, and y which x belongs to it.
        """
        if role in _NAMES:
            scored = [(b, _number(role, b)) for b in self.numbers]
        else:
            score = self._scores(role, picks)
            scored = [(b, score(b)) for b in self.with_series]
        found = [
            Candidate(branch=b, score=s - 0.05 * b.path.count("/"), unit=_unit(role, b))
            for b, s in scored
            if s is not None
        ]
        return sorted(found, key=lambda c: (-c.score, c.branch.path))[:_MOST]

    def completed(self, choice: DatasetMapping) -> DatasetMapping:
        """Choose what is plausible for each role that has nothing yet."""
        picks = dict(choice.picks)
        roles: tuple[Role, ...] = ("frames", "positions", "position_x", "probe", "object", "mask")
        for role in (*roles, *_NAMES):
            if role in picks:
                continue
            if role == "position_x" and not self.is_one_coordinate(picks.get("positions")):
                continue
            ranked = self.candidates(role, picks)
            if ranked and ranked[0].is_plausible:
                picks[role] = ranked[0].pick
        is_new = "mask" in picks and "mask" not in choice.picks
        is_good = is_new and re.search(r"valid|good", picks["mask"].path, re.I) is not None
        return replace(choice, picks=picks, mask_marks="good" if is_good else choice.mask_marks)

    @property
    def with_series(self) -> list[Entry]:
        """The arrays, and series of frames whose names differ in the last number only."""
        series: dict[str, list[Entry]] = defaultdict(list)
        for branch in self.arrays:
            pattern = re.sub(r"\d+$", "*", branch.path)
            if pattern != branch.path and len(branch.shape) >= 2:
                series[pattern].append(branch)
        made = [
            replace(parts[0], path=pattern, shape=_joined(parts))
            for pattern, parts in series.items()
            if len(parts) > 1 and len({(p.shape[-2:], p.type) for p in parts}) == 1
        ]
        return [*made, *self.arrays]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each array by path."""
        return {branch.path: branch.shape for branch in self.with_series}

    def is_one_coordinate(self, pick: DatasetRef | None) -> bool:
        """Whether a dataset of positions holds only one of y and x."""
        return pick is not None and len(self.shapes.get(pick.path, (0, 0))) == 1

    def _scores(
        self, role: Role, picks: Mapping[Role, DatasetRef]
    ) -> Callable[[Entry], float | None]:
        chosen = picks.get("frames")
        frames = self.shapes.get(chosen.path) if chosen is not None else None
        window = frames[-2:] if frames is not None else None
        if role == "frames":
            return _frames
        if role == "probe":
            return lambda b: _probe(b, window)
        if role == "object":
            return lambda b: _object(b, window)
        if role == "mask":
            return lambda b: None if chosen and b.path == chosen.path else _mask(b, window)
        lead = frames[:-2] if frames is not None else ()
        names = {b.path for b in self.arrays}
        y = picks.get("positions")
        if role == "positions":
            return lambda b: _positions(b, lead, names)
        return lambda b: _x(b, lead, names, y.path if y is not None else "")


def _joined(parts: Sequence[Entry]) -> tuple[int, ...]:
    count = sum(math.prod(part.shape[:-2]) for part in parts)
    return (count, *parts[0].shape[-2:])


def _frames(branch: Entry) -> float | None:
    shape = branch.shape
    if not branch.is_real or len(shape) < 2 or min(shape[-2:]) < _SMALLEST_FRAME:
        return None
    score = math.log10(math.prod(shape)) + 6 * bool(_FRAMES.search(branch.name))
    score += 4.0 * (len(shape) > 2) + ("*" in branch.path)
    if len(shape) == 2 or _NOT_FRAMES.search(branch.name):
        score -= 20
    return score


def _points(branch: Entry) -> tuple[int, ...] | None:
    """How many points it may be coordinates of; several where the axes leave that open."""
    shape = branch.shape
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    if not branch.is_real or math.prod(shape) < 2:
        return None
    if len(shape) == 1:
        return shape
    if len(shape) == 3 and shape[-1] == 2:
        return (shape[0] * shape[1],)
    if len(shape) != 2 or not {2, 3} & set(shape):
        return None
    return tuple(n for n, k in (shape, shape[::-1]) if k in (2, 3))


def _positions(branch: Entry, lead: tuple[int, ...], names: set[str]) -> float | None:
    score = _coordinate(branch, lead, 0)
    if score is None:
        return None
    if len(branch.shape) > 1:
        return score + 2
    return score + 2 * _has_twin(branch.path, "yx", names) - _has_twin(branch.path, "xy", names)


def _x(branch: Entry, lead: tuple[int, ...], names: set[str], y: str) -> float | None:
    if len(branch.shape) != 1 or branch.path == y:
        return None
    score = _coordinate(branch, lead, 1)
    if score is None:
        return None
    belongs = branch.path in _twins(y, "yx")
    return score + 4 * belongs + 2 * _has_twin(branch.path, "xy", names)


def _coordinate(branch: Entry, lead: tuple[int, ...], axis: int) -> float | None:
    """How well it counts the scan points, and what its name and type say."""
    points = _points(branch)
    if points is None:
        return None
    n = math.prod(lead)
    is_axis = len(lead) == 2 and branch.shape == (lead[axis],)
    if n in points and lead:
        score = 4.0
    elif is_axis:
        score = 3.0
    elif any(n <= 2 * p and p <= 2 * n for p in points):
        score = 0.0
    else:
        score = -6.0
    score += 1.0 * branch.type.startswith("float")
    score += 2.0 * bool(_POSITIONS.search(branch.name))
    return score - 5.0 * bool(_COUNTERS.search(branch.name))


def _twins(path: str, letters: str) -> set[str]:
    """Return the path with one letter of its name changed, wherever that is possible."""
    group, slash, name = path.rpartition("/")
    old, new = letters[0], letters[1]
    pairs = ((old, new), (old.upper(), new.upper()))
    return {
        group + slash + name[:k] + fresh + name[k + 1 :]
        for k, letter in enumerate(name)
        for stale, fresh in pairs
        if letter == stale
    }


def _has_twin(path: str, letters: str, names: set[str]) -> bool:
    return bool(_twins(path, letters) & names)


def _probe(branch: Entry, window: tuple[int, ...] | None) -> float | None:
    if not branch.is_complex or len(branch.shape) < 2:
        return None
    score = 6.0 * (branch.shape[-2:] == window) + 3 * bool(_PROBE.search(branch.path))
    return score - 6 * bool(re.search(r"obj", branch.name, re.I))


def _object(branch: Entry, window: tuple[int, ...] | None) -> float | None:
    if not branch.is_complex or len(branch.shape) < 2:
        return None
    larger = window is not None and all(
        n > k for n, k in zip(branch.shape[-2:], window, strict=True)
    )
    score = 6.0 * larger + 3 * bool(_OBJECT.search(branch.path))
    return score - 6 * bool(_PROBE.search(branch.name))


def _mask(branch: Entry, window: tuple[int, ...] | None) -> float | None:
    is_marks = branch.type.startswith(("bool", "int", "uint"))
    named = bool(_MASK.search(branch.name))
    if window is None or not is_marks or branch.shape[-2:] != window:
        return None
    if len(branch.shape) > 2 and not named:
        return None
    return 2.0 + 4 * named


def _number(role: Role, branch: Entry) -> float | None:
    if role not in ("pitch", "pixel") and math.prod(branch.shape) != 1:
        return None
    name = branch.name.lstrip("@")
    named = bool(_NAMES[role].search(name))
    score = 6.0 * named
    if role in _OTHERS and _OTHERS[role].search(branch.path):
        score -= 4
    low, high = _DETECTOR_PIXELS
    if role == "pixel" and named and low < _value(branch) < high:
        score -= 4
    return score if score > 0 else score - 1


def _value(branch: Entry) -> float:
    try:
        return abs(float(branch.value.split(",")[0]))
    except ValueError:
        return 0.0


def _unit(role: Role, branch: Entry) -> str:
    """What the end of a name says: 'energy_keV', 'distance_mm'."""
    if role not in _NAMES:
        return ""  # positions say it where they are read
    named = unit_in_name(branch.name.lstrip("@"))
    by_factor = {factor: unit for unit, factor in factors_of(role).items()}
    wanted = "energy" if role == "energy" else "length"
    return "" if named is None or named.kind != wanted else by_factor.get(named.factor, "")
