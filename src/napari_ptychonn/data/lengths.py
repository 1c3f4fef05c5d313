"""Lengths as text."""

from __future__ import annotations

from napari_ptychonn.data.scan import Unit


def format_length(length: float, unit: Unit) -> str:
    """Format a length as '12 nm', '1.5 µm' or '2.3 px'.

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
