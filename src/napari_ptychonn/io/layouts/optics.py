"""Energy, distance and pitch from a file; values out of range are ignored."""

from __future__ import annotations

from typing import Any

from napari_ptychonn.data.scan import ELECTRONVOLT, PLANCK_TIMES_C, Optics
from napari_ptychonn.io.layouts.resolved import ResolvedLayout

_ENERGIES = (1.0, 1e6)
_NO_ENERGY_IN_EV = 30.0
"""No ptychography is done with fewer eV, and little with more keV than 30."""

_DISTANCES = (1e-6, 1e3)
_PITCHES = (1e-9, 1e-2)
_LARGEST, ANGSTROM = 1e-4, 1e-10
"""No wavelength and no object pixel has 0.1 mm; one of electrons has some 0.01 ångström."""


def read_optics(contents: ResolvedLayout) -> tuple[Optics, tuple[str, ...]]:
    """Read photon energy, detector distance and detector pitch.

    Returns
    -------
    optics : Optics
        None where missing, zero, or out of range.
    notes : tuple of str
        Values that were ignored.
    """
    notes: list[str] = []
    energy = _within(contents, "energy", _ENERGIES, "eV", notes)
    is_bare = not contents.is_typed("energy")
    if energy is not None and energy < _NO_ENERGY_IN_EV and is_bare:
        notes.append(f"The energy of {energy:.4g} in the file has no unit and was taken as keV.")
        energy *= 1e3
    wavelength = None if energy is None else PLANCK_TIMES_C / (energy * ELECTRONVOLT)
    if wavelength is None and (stored := metres(contents, contents.number("wavelength"))):
        low, high = (PLANCK_TIMES_C / (e * ELECTRONVOLT) for e in reversed(_ENERGIES))
        wavelength = stored if low <= stored <= high else None
    distance = _within(contents, "distance", _DISTANCES, "m", notes)
    y, x = (_within(contents, q, _PITCHES, "m", notes) for q in ("pitch_y", "pitch_x"))
    # Some files give one of the two, for square pixels.
    pitch = (y or x, x or y)
    known: dict[str, Any] = {} if None in pitch else {"detector_pitch": pitch}
    return Optics(wavelength=wavelength, detector_distance=distance, **known), tuple(notes)


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
    contents: ResolvedLayout,
    quantity: str,
    bounds: tuple[float, float],
    unit: str,
    notes: list[str],
) -> float | None:
    value = contents.number(quantity)
    if value is None:
        return None
    value = abs(value)  # some programs write the distance with the sign of their z axis
    if bounds[0] <= value <= bounds[1]:
        return value
    name = quantity.replace("_", " ")
    where = "as typed" if contents.is_typed(quantity) else "in the file"
    notes.append(f"The {name} of {value:.3g} {unit} {where} is out of range and was not used.")
    return None
