"""Dataset mapping: the role, unit and orientation that a user chose for each dataset.

A choice is made into a row of the table of layouts, so that what was chosen
goes through the same door as every other file, this time and the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from napari_ptychonn.io.layouts.layout import Field, Flip, Layout
from napari_ptychonn.io.layouts.paths import ANY
from napari_ptychonn.io.layouts.resolved import ResolvedLayout
from napari_ptychonn.io.mapping.roles import (
    BOUNDS,
    LENGTHS,
    NAMES,
    PIXEL,
    TYPED_UNITS,
    Role,
    factors_of,
)

if TYPE_CHECKING:
    from napari_ptychonn.io.readers.sources import Sources

_QUANTITIES: Mapping[Role, tuple[str, ...]] = {
    "frames": ("frames",),
    "probe": ("probe",),
    "object": ("object",),
    "mask": ("mask",),
    "energy": ("energy",),
    "wavelength": ("wavelength",),
    "distance": ("distance",),
    "pitch": ("pitch_y", "pitch_x"),
    "pixel": ("pixel_y", "pixel_x"),
}
_OF_THE_OBJECT = (
    "extent_xy",
    "centre_y",
    "centre_x",
    "origin_y",
    "origin_x",
    "rows_y",
    "columns_x",
)
"""Fields that say where an object lies; those of another object are wrong."""

BY_HAND = "chosen by hand"


@dataclass(frozen=True, kw_only=True)
class DatasetRef:
    """One dataset or attribute, or a number that was typed because no dataset has it.

    Attributes
    ----------
    path : str
        From the root of the file; 'owner@name' for an attribute.  With '*',
        every array that fits, one behind the other.  '' for a typed number.
    unit : str
        One of `UNITS`; '' for what the file says, or what it was recognised as.
    number : float or None
        As typed, in `unit`; NaN where nothing was typed yet.
    """

    path: str = ""
    unit: str = ""
    number: float | None = None


@dataclass(frozen=True, kw_only=True)
class DatasetMapping:
    """Which dataset is what.

    Attributes
    ----------
    base : Layout
        What the file was recognised as, paths from its root: everything that a
        person is not asked about stays as it is there.
    picks : mapping of str to Pick
        By role.  `positions` are both coordinates, or y where there is also
        a `position_x`; `pitch` is the size of a detector pixel, `pixel` that
        of an object pixel.
    recognised : mapping of str to Pick
        The picks that `base` makes by itself.
    swap : bool
        Positions are (x, y).
    flip : str
        Coordinates to negate after that: '', 'y', 'x' or 'yx'.
    orientation : int
        How frames are turned: 1 flips columns, 2 rows, 4 transposes, which is done first.
    zero_frequency : str
        Where frames have it: 'detect', 'centre' or 'corner'.
    amplitude : bool
        Frames are square roots of counts.
    mask_marks : str
        Whether a non-zero mask value means a 'bad' or a 'good' pixel.
    """

    base: Layout
    picks: Mapping[Role, DatasetRef] = field(default_factory=dict)
    recognised: Mapping[Role, DatasetRef] = field(default_factory=dict)
    swap: bool = False
    flip: Flip = ""
    orientation: int = 0
    zero_frequency: Literal["detect", "centre", "corner"] = "detect"
    amplitude: bool = False
    mask_marks: Literal["bad", "good"] = "bad"

    @classmethod
    def of(cls, sources: Sources, object_path: str | None = None) -> DatasetMapping:
        """Start from what a file was recognised as.

        Parameters
        ----------
        sources : Sources
            Where its scan comes from.
        object_path : str, optional
            The reconstructed object, where the layout of the scan has none.
        """
        contents = sources.frames
        base = rooted(contents.layout, contents.group)
        source = sources.positions_source
        if source is not None and source is not contents and source.tree is contents.tree:
            base = _with_positions_of(base, rooted(source.layout, source.group))
        seen = ResolvedLayout(tree=contents.tree, layout=base)
        picks = {
            role: DatasetRef(path=path)
            for role, (quantity, *_) in _QUANTITIES.items()
            if (path := seen.where(quantity)) is not None
        }
        picks |= _typed(base)
        y, x, both = (seen.where(q) for q in ("position_y", "position_x", "positions"))
        if y is not None and x is not None:
            picks |= {"positions": DatasetRef(path=y), "position_x": DatasetRef(path=x)}
        elif both is not None:
            picks["positions"] = DatasetRef(path=both)
        recognised = dict(picks)
        if object_path is not None:
            picks.setdefault("object", DatasetRef(path=object_path))
        is_beside, is_pair = "positions" not in picks, "position_x" in picks
        swap = base.beside_swap if is_beside else base.position_axes == "xy" and not is_pair
        return cls(
            base=base,
            picks=picks,
            recognised=recognised,
            swap=swap,
            flip=base.beside_flip if is_beside else base.position_flip,
            orientation=base.orientation,
            zero_frequency=base.zero_frequency,
            amplitude=base.amplitude,
            mask_marks=base.mask_marks,
        )

    def missing(self, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
        """Say what has to be chosen yet, as one sentence; None where nothing has.

        Parameters
        ----------
        shapes : mapping of str to tuple of int
            Of the arrays of the file, by path.
        """
        if "frames" not in self.picks:
            return "Choose the dataset that holds the diffraction frames."
        for role in TYPED_UNITS:
            if (why := self._why_not(role)) is not None:
                return why
        positions = self.picks.get("positions")
        x = self.picks.get("position_x")
        if positions is None:
            return None if x is None else f"Choose the y positions: {x.path} holds those of x."
        if x is None and len(shapes.get(positions.path, (1, 2))) == 1:
            return f"Choose the x positions: {positions.path} holds one coordinate only."
        return None

    def _why_not(self, role: Role) -> str | None:
        """Say why a typed number cannot be, in the unit that it was typed in."""
        pick = self.picks.get(role)
        if pick is None or pick.number is None:
            return None
        if math.isnan(pick.number):
            return f"{NAMES[role]}: type a number, in {pick.unit}, or choose where it is."
        low, high = (bound / factors_of(role)[pick.unit] for bound in BOUNDS[role])
        if low <= pick.number <= high:
            return None
        return (
            f"{NAMES[role]}: {pick.number:g} {pick.unit} cannot be; expected {low:g} to {high:g} "
            f"{pick.unit}."
        )

    def layout(self, name: str = "") -> Layout:
        """Make the row of the table of layouts that reads the file this way.

        Parameters
        ----------
        name : str
            What to remember it as; other files that have the same datasets are
            then read alike.
        """
        changes: dict[str, Any] = {}
        for role, quantities in _QUANTITIES.items():
            changes |= self._fields(role, quantities)
        if self._is_new("frames"):
            changes["frame_indexes"] = None
        if self._is_new("object"):
            changes |= dict.fromkeys(_OF_THE_OBJECT)
            changes |= {"object_amplitude": None, "object_phase": None, "object_frame": "guess"}
        return replace(
            self.base,
            **(changes | self._position_fields()),
            name=name or BY_HAND,
            require=self._require(),
            notes=(_note(name), *self._note_on_typed()),
            orientation=self.orientation,
            zero_frequency=self.zero_frequency,
            amplitude=self.amplitude,
            mask_marks=self.mask_marks,
        )

    def _note_on_typed(self) -> tuple[str, ...]:
        typed = [
            f"{NAMES[role].lower()} {pick.number:g} {pick.unit}"
            for role, pick in self.picks.items()
            if pick.number is not None
        ]
        return (f"Typed by hand, not in the file: {', '.join(typed)}.",) if typed else ()

    def _is_new(self, role: Role) -> bool:
        """Whether a role was given a dataset that it was not recognised with."""
        pick, before = self.picks.get(role), self.recognised.get(role)
        return pick is not None and (before is None or before.path != pick.path)

    def _fields(self, role: Role, quantities: tuple[str, ...]) -> dict[str, Field | None]:
        pick = self.picks.get(role)
        if pick is None:
            return dict.fromkeys(quantities)
        if pick == self.recognised.get(role):
            return {}
        factors = factors_of(role)
        if pick.number is not None:
            typed = Field(constant=pick.number * factors[pick.unit])
            return dict.fromkeys(quantities, None if math.isnan(pick.number) else typed)
        return {
            quantity: self._field(role, quantity, factors, index if len(quantities) > 1 else None)
            for index, quantity in enumerate(quantities)
        }

    def _field(
        self, role: Role, quantity: str, factors: Mapping[str, float], index: int | None
    ) -> Field:
        """Write one place in the file; what is only given another unit stays where it was."""
        pick = self.picks[role]
        before: Field | None = getattr(self.base, quantity)
        if self._is_new(role) or before is None:
            before = Field(paths=(pick.path,), index=index, every=ANY in pick.path)
        if not pick.unit:
            return before
        # The sign of a scale says which way an axis points.
        sign = -1.0 if before.scale < 0 else 1.0
        return replace(before, scale=sign * factors.get(pick.unit, 1.0), fixed=True)

    def _position_fields(self) -> dict[str, Any]:
        nowhere: dict[str, Any] = dict.fromkeys(("positions", "position_y", "position_x"))
        pick, x = self.picks.get("positions"), self.picks.get("position_x")
        if pick is None:
            return nowhere | {"beside_swap": self.swap, "beside_flip": self.flip}
        is_new = self._is_new("positions")
        given: dict[str, Any] = {
            "position_flip": self.flip,
            "position_unit": self._position_unit(is_new),
        }
        if is_new:
            given |= {"position_indexes": None, "position_mark": "element"}
        if x is None:
            both = self._field("positions", "positions", LENGTHS, None)
            axes = "xy" if self.swap else "yx"
            return nowhere | given | {"positions": both, "position_axes": axes}
        of_y = self._field("positions", "position_y", LENGTHS, None)
        of_x = self._field("position_x", "position_x", LENGTHS, None)
        if pick.unit:  # there is one choice of unit, for both
            of_x = replace(of_x, scale=of_y.scale, fixed=of_y.fixed)
        pair = (of_x, of_y) if self.swap else (of_y, of_x)
        return nowhere | given | dict(zip(("position_y", "position_x"), pair, strict=True))

    def _position_unit(self, is_new: bool) -> Literal["m", "pixel", "guess"]:
        unit = self.picks["positions"].unit
        if unit:
            return "pixel" if unit == PIXEL else "m"
        return "guess" if is_new else self.base.position_unit

    def _require(self) -> tuple[tuple[str, ...], ...]:
        """A file is of this kind when it has the same frames and positions."""
        own = [self.picks[role].path for role in ("frames", "positions", "position_x")
               if role in self.picks]  # fmt: skip
        if "positions" not in self.picks:  # frames alone say too little
            given = [self.picks[role].path for role in ("mask", "energy") if role in self.picks]
            own += [path for path in given if path]
        wanted = (*self.base.require, *((path,) for path in own))
        return tuple(dict.fromkeys(wanted))


def _typed(layout: Layout) -> dict[Role, DatasetRef]:
    """Return the numbers that a layout has by itself, as a person would type them."""
    picks: dict[Role, DatasetRef] = {}
    for role, unit in TYPED_UNITS.items():
        where: Field | None = getattr(layout, _QUANTITIES[role][0])
        if where is not None and where.constant is not None:
            number = where.constant / factors_of(role)[unit]
            picks[role] = DatasetRef(unit=unit, number=float(f"{number:.12g}"))
    return picks


def rooted(layout: Layout, group: str) -> Layout:
    """Write the paths of a layout from the root of a file that has it in a group."""
    if not group:
        return layout
    changes: dict[str, Any] = {
        f.name: replace(value, paths=tuple(_rooted(p, group) for p in value.paths))
        for f in fields(layout)
        if isinstance(value := getattr(layout, f.name), Field)
    }
    require = tuple(tuple(_rooted(p, group) for p in paths) for paths in layout.require)
    return replace(layout, **changes, require=require)


def _rooted(path: str, group: str) -> str:
    return group + path if path.startswith("@") else f"{group}/{path}"


def _with_positions_of(base: Layout, source: Layout) -> Layout:
    names = ("positions", "position_y", "position_x", "position_axes", "position_flip",
             "position_unit", "position_mark", "position_indexes")  # fmt: skip
    return replace(base, **{name: getattr(source, name) for name in names})


def _note(name: str) -> str:
    return f"Read by your own layout '{name}'." if name else "Its datasets were chosen by hand."
