"""Units as writers spell them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.io.units import parse_quantity, parse_unit, parse_units, unit_in_name

MICRO = ("um", "µm", "μm", "UM", "microns", "micron", "Micrometer", "micrometers", "micrometer(s)",
         "micrometres", "micro-metre", "micromètre", "10^-6 m", "1e-6 m", "1E-6*m", "10**-6 m",
         "10⁻⁶ m", "[u_m]", "Âµm", r"\u00B5m", "(um)", "um (stage)", "microns (um)")  # fmt: skip
LENGTHS = {
    1e-6: MICRO,
    1e-9: ("nm", "nanometers", "NM", "nano-meter", "1e-9 m"),
    1e-3: ("mm", "MM", "millimetre", "millimeters", "1e-3m"),
    1e-10: ("Å", "\u212b", "A", "Angstrom", "ångström", "angstroms"),
    1.0: ("m", "meter", "Metres"),
    1e-2: ("cm",),
}
SPELLINGS = [(text, factor) for factor, texts in LENGTHS.items() for text in texts]


@st.composite
def wrapped(draw: st.DrawFn, text: str) -> Any:
    """Put a unit into one of the containers that HDF5 and NumPy have for text."""
    text = draw(st.sampled_from(["", " "])) + text + draw(st.sampled_from(["", "\n", " ", "\0"]))
    kind = draw(st.sampled_from(["str", "utf-8", "latin-1", "array", "bytes", "two"]))
    if kind == "str":
        return text
    if kind == "two":
        return np.array([text, text], dtype=object)
    if kind == "array":
        return np.array([text], dtype=object)
    encoded = text.encode("utf-8")
    if kind == "latin-1" and all(ord(c) < 256 for c in text):
        encoded = text.encode("latin-1")
    return np.array([encoded], dtype=object) if kind == "bytes" else encoded


@pytest.mark.parametrize(("text", "factor"), SPELLINGS)
@given(data=st.data())
def test_every_spelling_in_every_container(text: str, factor: float, data: st.DataObject) -> None:
    unit = parse_unit(data.draw(wrapped(text)))
    assert unit is not None
    assert unit.kind == "length"
    assert unit.factor == pytest.approx(factor)


@pytest.mark.parametrize(
    ("text", "factor"),
    [("eV", 1.0), ("keV", 1e3), ("KEV", 1e3), ("MeV", 1e6), ("meV", 1e-3), ("J", 6.2415e18)],
)
def test_energies(text: str, factor: float) -> None:
    unit = parse_unit(text)
    assert unit is not None
    assert (unit.kind, unit.factor) == ("energy", pytest.approx(factor, rel=1e-4))


@pytest.mark.parametrize(
    "text",
    ["counts", "steps", "deg", "mrad", "m/s", "1/m", "A^-1", "mm^2", "mev", "10e-6 m", "px/m", "5"],
)
def test_what_is_no_unit_of_length_stays_unknown_and_is_named(text: str) -> None:
    unit = parse_unit(text)
    assert unit is not None
    assert (unit.kind, unit.text) == ("unknown", text)


@pytest.mark.parametrize("nothing", [None, "", " ", b"\0", "-", "none", np.array([], dtype=object)])
def test_no_unit(nothing: Any) -> None:
    assert parse_unit(nothing) is None


@given(st.one_of(st.text(), st.binary(), st.integers(), st.floats(), st.lists(st.text())))
def test_anything_may_be_an_attribute(value: Any) -> None:
    unit = parse_unit(value if not isinstance(value, list) else np.array(value, dtype=object))
    assert unit is None or np.isfinite(unit.factor)


def test_columns_have_units_of_their_own() -> None:
    for value in (np.array(["um", "mm"]), "um, mm", b"um,mm", "[um; mm]"):
        x, y = parse_units(value)
        assert x is not None
        assert y is not None
        assert (x.factor, y.factor) == (1e-6, 1e-3)


@pytest.mark.parametrize(
    ("name", "factor"),
    [("x_um", 1e-6), ("X Position (µm)", 1e-6), ("samx [mm]", 1e-3), ("x/nm", 1e-9),
     ("pos_x_m", 1.0), ("x_um_rbv", 1e-6), ("x, mm", 1e-3), ("pos_x_px", 1.0)],
)  # fmt: skip
def test_units_in_names(name: str, factor: float) -> None:
    unit = unit_in_name(name)
    assert unit is not None
    assert unit.factor == factor


@pytest.mark.parametrize("name", ["x", "pos_a", "x (readback)", "motor_m_x", "um", "X_Position"])
def test_names_without_a_unit(name: str) -> None:
    assert unit_in_name(name) is None


def test_numbers_with_a_unit() -> None:
    for text in ("8.8 keV", b"8.8keV", "8,8 keV", "88e-1 keV"):
        found = parse_quantity(text)
        assert found is not None
        assert found[1] is not None
        assert found[0] * found[1].factor == pytest.approx(8800)
    assert parse_quantity("8800") == (8800.0, None)
    assert parse_quantity("unknown") is None
