"""Lengths and counts as text."""

from __future__ import annotations

from typing import Literal


def format_length(length: float, unit: Literal["m", "pixel"]) -> str:
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


_SINGULAR = {"are": "is", "have": "has", "hold": "holds", "do": "does", "were": "was"}


def format_count(number: int, noun: str, verb: str = "") -> str:
    """Write a number with its noun, and a verb: '1 frame is', '25,921 frames are'.

    Parameters
    ----------
    number : int
        How many.
    noun : str
        In the singular.
    verb : str, optional
        In the plural.
    """
    words = [f"{number:,}", noun if number == 1 else f"{noun}s"]
    if verb:
        words.append(_SINGULAR.get(verb, f"{verb}s") if number == 1 else verb)
    return " ".join(words)
