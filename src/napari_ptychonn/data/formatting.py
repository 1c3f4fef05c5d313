"""Lengths and counts as text."""

from __future__ import annotations

from napari_ptychonn.data.scan import Unit


def format_length(length: float, unit: Unit) -> str:
    """Write a length: '12 nm', '1.5 µm' or '2.3 px'.

    Parameters
    ----------
    length : float
        In `unit`.
    unit : {'m', 'pixel'}
        Of the scan.
    """
    if unit == "pixel":
        return f"{length:.3g} px"
    if abs(length) < 1e-6:
        return f"{length * 1e9:.3g} nm"
    return f"{length * 1e6:.3g} µm"


def format_count(number: int, noun: str) -> str:
    """Write a number with its noun: '1 frame', '25,921 frames'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
