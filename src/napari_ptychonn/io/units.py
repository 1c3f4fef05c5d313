"""Units as files spell them, in SI (energies in electronvolt)."""

from __future__ import annotations

from typing import Any

from napari_ptychonn.data.scan import ELECTRONVOLT

_LENGTHS = {
    "m": 1.0,
    "meter": 1.0,
    "metre": 1.0,
    "cm": 1e-2,
    "mm": 1e-3,
    "millimeter": 1e-3,
    "millimetre": 1e-3,
    "um": 1e-6,
    "µm": 1e-6,
    "μm": 1e-6,
    "micron": 1e-6,
    "micrometer": 1e-6,
    "micrometre": 1e-6,
    "nm": 1e-9,
    "nanometer": 1e-9,
    "nanometre": 1e-9,
    "pm": 1e-12,
    "a": 1e-10,
    "å": 1e-10,
    "angstrom": 1e-10,
    "ångström": 1e-10,
}
_ENERGIES = {"ev": 1.0, "kev": 1e3, "mev": 1e6, "gev": 1e9, "j": 1 / ELECTRONVOLT}
_PIXELS = {"px", "pixel", "object pixel"}

PIXEL = "pixel"


def length(unit: str) -> float | None:
    """Metres in one of these units; None for what is no length."""
    return _LENGTHS.get(unit)


def factor(unit: str) -> float | None:
    """Return what turns a number in `unit` into m or eV; None for an unknown unit."""
    return _LENGTHS.get(unit, _ENERGIES.get(unit))


def spelled(value: Any) -> str | None:
    """Bring an attribute, or the end of a column's name, into the spelling used here."""
    if value is None:
        return None
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    text = text.strip().strip("[]()").lower()
    text = text if text in _LENGTHS or text in _ENERGIES else text.removesuffix("s")
    return PIXEL if text in _PIXELS else text
