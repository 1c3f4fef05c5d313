"""Energy, distance and pitch from a file; values out of range are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from napari_ptychonn.data.scan import ELECTRONVOLT, PLANCK_TIMES_C, Optics
from napari_ptychonn.io.layouts.resolved import Reading, ResolvedLayout

_ENERGIES = (1.0, 1e6)
_WAVELENGTHS = (
    PLANCK_TIMES_C / (_ENERGIES[1] * ELECTRONVOLT),
    PLANCK_TIMES_C / (_ENERGIES[0] * ELECTRONVOLT),
)
_NO_ENERGY_IN_EV = 30.0
"""No ptychography is done with fewer eV, and little with more keV than 30."""

_Range = tuple[float, float]
_ENERGY_UNITS = {"eV": 1.0, "keV": 1e3}
_SMALL_LENGTHS = {"mm": 1e-3, "µm": 1e-6, "nm": 1e-9, "Å": 1e-10}
_PITCH = ((1e-9, 1e-2), (1e-6, 1e-3), _SMALL_LENGTHS)
_BOUNDS: Mapping[str, tuple[_Range, _Range, Mapping[str, float]]] = {
    "energy": (_ENERGIES, (30.0, 2e5), _ENERGY_UNITS),
    "wavelength": (_WAVELENGTHS, (1e-12, 5e-8), _SMALL_LENGTHS),
    "distance": ((1e-6, 200.0), (1e-2, 100.0), _SMALL_LENGTHS),
    "pitch_y": _PITCH,
    "pitch_x": _PITCH,
}
"""What is possible, what is plausible, and the units of numbers that have none."""

_LARGEST, ANGSTROM = 1e-4, 1e-10
"""No wavelength and no object pixel has 0.1 mm; one of electrons has some 0.01 ångström."""


def read_optics(contents: ResolvedLayout) -> tuple[Optics, tuple[str, ...], tuple[str, ...]]:
    """Read photon energy, detector distance and detector pitch.

    Returns
    -------
    optics : Optics
        None where missing, zero, or out of range.
    notes : tuple of str
        Values that were ignored.
    warnings : tuple of str
        Units that are not known, and values that vary.
    """
    notes: list[str] = []
    readings = {quantity: contents.reading(quantity) for quantity in _BOUNDS}
    found = readings["wavelength"]
    readings["wavelength"] = replace(found, value=metres(contents, found.value))
    if readings["energy"].value is not None:
        readings["wavelength"] = Reading()  # not needed
    pixels = (contents.reading(quantity) for quantity in ("pixel_y", "pixel_x"))
    doubts = (w for reading in (*readings.values(), *pixels) for w in reading.warnings)
    warnings = list(dict.fromkeys(doubts))
    energy, wavelength, distance, y, x = (
        _within(contents, quantity, reading, warnings) for quantity, reading in readings.items()
    )
    is_bare = not contents.is_typed("energy") and readings["energy"].unit is None
    if energy is not None and energy < _NO_ENERGY_IN_EV and is_bare:
        notes.append(f"The energy of {energy:.4g} in the file has no unit and was taken as keV.")
        energy *= 1e3
    if energy is not None:
        wavelength = PLANCK_TIMES_C / (energy * ELECTRONVOLT)
    # Some files give one of the two, for square pixels.
    pitch = (y or x, x or y)
    known: dict[str, Any] = {} if None in pitch else {"detector_pitch": pitch}
    optics = Optics(wavelength=wavelength, detector_distance=distance, **known)
    return optics, tuple(notes), tuple(warnings)


def metres(contents: ResolvedLayout, value: float | None) -> float | None:
    """Turn a length from a file that may be in ångström, where it is too large for metres."""
    if value is None or not contents.layout.angstrom or abs(value) < _LARGEST:
        return value
    return value * ANGSTROM


def counts_in_angstrom(contents: ResolvedLayout) -> bool | None:
    """Whether the lengths of a file are in ångström; None where it has none to tell by."""
    if not contents.layout.angstrom:
        return False
    lengths = [contents.number(name) for name in ("wavelength", "pixel_y", "pixel_x")]
    known = [abs(value) for value in lengths if value is not None]
    return any(value >= _LARGEST for value in known) if known else None


def _within(
    contents: ResolvedLayout, quantity: str, reading: Reading, warnings: list[str]
) -> float | None:
    """Return a number if it is in range, in the unit of the format or in the one that it must be.

    A number without a unit that is out of range is often in another unit:
    where only one makes sense, that one is taken.
    """
    if reading.value is None:
        return None
    value = abs(reading.value)  # some programs write the distance with the sign of their z axis
    bounds, plausible, units = _BOUNDS[quantity]
    if _is_in(value, bounds):
        return value
    name, unit = quantity.replace("_", " "), "eV" if quantity == "energy" else "m"
    is_bare = reading.unit is None and not contents.is_typed(quantity)
    stored = abs(reading.stored or 0.0) if is_bare else 0.0
    fitting = {u: stored * f for u, f in units.items() if _is_in(stored * f, plausible)}
    if len(fitting) == 1:
        other, value = next(iter(fitting.items()))
        warnings.append(
            f"The {name} of {stored:.6g} in the file has no unit and cannot be {unit}; it was read "
            f"as {stored:.6g} {other}."
        )
        return value
    where = "as typed" if contents.is_typed(quantity) else "in the file"
    either = f" It may be in {' or in '.join(fitting)}." if fitting else ""
    warnings.append(
        f"The {name} of {value:.3g} {unit} {where} is out of range and was not used.{either}"
    )
    return None


def _is_in(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]
