"""What a dataset can be, or a typed number: roles, what they are called, and their units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from napari_ptychonn.data.scan import ELECTRONVOLT

Role = Literal[
    "frames",
    "positions",
    "position_x",
    "probe",
    "object",
    "mask",
    "energy",
    "wavelength",
    "distance",
    "pitch",
    "pixel",
]
ROLES: tuple[Role, ...] = get_args(Role)

NAMES: Mapping[Role, str] = {
    "frames": "Frames",
    "positions": "Positions",
    "position_x": "x, where apart",
    "probe": "Probe",
    "object": "Object",
    "mask": "Mask",
    "energy": "Photon energy",
    "wavelength": "Wavelength",
    "distance": "Detector distance",
    "pitch": "Detector pixel",
    "pixel": "Object pixel",
}
"""What a person calls them."""

PIXEL = "object pixel"
LENGTHS: Mapping[str, float] = {"m": 1.0, "mm": 1e-3, "µm": 1e-6, "nm": 1e-9, "Å": 1e-10}
ENERGIES: Mapping[str, float] = {"eV": 1.0, "keV": 1e3, "J": 1 / ELECTRONVOLT}
UNITS: Mapping[Role, tuple[str, ...]] = {
    "positions": (*LENGTHS, PIXEL),
    "energy": tuple(ENERGIES),
    "wavelength": tuple(LENGTHS),
    "distance": tuple(LENGTHS),
    "pitch": tuple(LENGTHS),
    "pixel": tuple(LENGTHS),
}
"""Units that a person can say; what is not here has none."""

TYPED_UNITS: Mapping[Role, str] = {
    "energy": "keV",
    "wavelength": "nm",
    "distance": "m",
    "pitch": "µm",
    "pixel": "nm",
}
"""Roles that a number can be typed for, and the unit that it is first asked for in."""

BOUNDS: Mapping[Role, tuple[float, float]] = {
    "energy": (30.0, 1e6),
    "wavelength": (1e-13, 1e-7),
    "distance": (1e-6, 1e3),
    "pitch": (1e-9, 1e-2),
    "pixel": (1e-13, 1e-4),
}
"""What a typed number has to be within, eV or m: a slip of the unit is a factor of a thousand."""


def factors_of(role: Role) -> Mapping[str, float]:
    """Return what turns a number in each unit of a role into eV or m."""
    return ENERGIES if role == "energy" else LENGTHS
