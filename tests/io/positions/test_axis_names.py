"""Names of motors and columns that say which is x and which is y."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.io.positions.axis_names import find_axes

PAIRS = [
    ("samx", "samy"), ("posx", "posy"), ("x", "y"), ("X", "Y"), ("motor_x", "motor_y"),
    ("horizontal", "vertical"), ("X Position (um)", "Y Position (um)"), ("hx", "hy"),
    ("x (um)", "y (nm)"), ("x_um", "y_mm"), ("huber_hp_nanox", "huber_hp_nanoy"),
    ("sample_x_rbv", "sample_y_rbv"), ("x1", "y1"), ("px", "py"), ("stage x [nm]", "y [nm]"),
    ("column", "row"), ("XPos", "YPos"), ("h", "v"), ("x position", "y"), ("zpssx", "zpssy"),
    ("pos_px", "pos_py"), ("piezo.X", "piezo.Y"), ("hor", "vert"),
]  # fmt: skip
OTHERS = ["time", "index", "max", "energy", "flux", "key", "I0", "", "Detector Count", "theta", "z"]


@given(
    pair=st.sampled_from(PAIRS),
    others=st.lists(st.sampled_from(OTHERS), unique=True, max_size=5),
    places=st.tuples(st.integers(0, 5), st.integers(0, 5)),
)
def test_x_and_y_are_found_wherever_they_are(
    pair: tuple[str, str], others: list[str], places: tuple[int, int]
) -> None:
    names = [*others]
    for name, place in zip(pair, places, strict=True):
        names.insert(min(place, len(names)), name)
    found = find_axes(names)
    assert found is not None
    assert (names[found.x], names[found.y]) == pair
    assert not found.others


@pytest.mark.parametrize("names", [["m1", "m2"], ["fast", "slow"], ["x", "z"], ["y", "z"], ["", ""],
                                   ["max", "key"], ["flux", "energy"], ["x"], []])  # fmt: skip
def test_names_that_say_nothing(names: list[str]) -> None:
    assert find_axes(names) is None


def test_units_are_those_of_each_axis() -> None:
    found = find_axes(["t", "y_um", "x (mm)"])
    assert found is not None
    assert [unit and unit.factor for unit in found.units] == [1e-6, 1e-3]
    pixels = find_axes(["pos_px", "pos_py"])
    assert pixels is not None
    assert pixels.units == (None, None), "the p is that of 'position'"


def test_what_was_measured_comes_before_what_was_demanded() -> None:
    names = ["x_set", "y_set", "x_rbv", "y_rbv", "x_err", "y_err"]
    found = find_axes(names)
    assert found is not None
    assert (found.y, found.x, found.others) == (3, 2, ())


def test_several_pairs_are_all_named() -> None:
    found = find_axes(["samx", "samy", "piezox", "piezoy"])
    assert found is not None
    assert (found.y, found.x) == (1, 0)
    assert found.others == ((3, 2),)
