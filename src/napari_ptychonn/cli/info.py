"""``napari-ptychonn info``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from napari_ptychonn.cli.console import (
    print_json,
)
from napari_ptychonn.cli.options import (
    CorrectOption,
    JsonOption,
    PositionsOption,
)
from napari_ptychonn.data.formatting import format_count


def info(
    scan: Annotated[str, typer.Argument(metavar="FILE", help="Any file, or FILE::/group.")],
    positions: PositionsOption = None,
    correct: CorrectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a file contains, with every warning."""
    from napari_ptychonn.consistency.correction import ScanCorrection
    from napari_ptychonn.io import describe

    correction = None if correct is None else ScanCorrection.parse(correct)
    description = describe(scan, beside=True, positions=positions, correction=correction).as_dict()
    if as_json:
        print_json(description)
        return
    _flatten_consistency(description)
    notes, warnings = description.pop("notes", ()), description.pop("warnings", ())
    companions = description.pop("companions", ())
    _print_fields(description)
    for companion in companions:
        print(f"nearby file: {companion}")
    for warning in warnings:
        print(f"warning: {warning}")
    for note in notes:
        print(f"note: {note}")


def _flatten_consistency(description: dict[str, Any]) -> None:
    """Replace the checks by the numbers that a person reads; --json has them all."""
    far_field = (description.pop("consistency") or {}).get("far_field")
    if far_field is not None:
        description["misfit"] = (
            f"{far_field['misfit']:.3g} times the photon noise ({far_field['noise_misfit']:.3g} is "
            f"noise alone), {100 * max(far_field['explained'], 0):.0f} % of the differences "
            f"between {format_count(far_field['frames'], 'frame')} explained"
        )


_FEW = 8
"""Longer lists are printed as their length; --json prints them in full."""


def _print_fields(fields: dict[str, Any], indent: str = "") -> None:
    for key, value in fields.items():
        title = f"{indent}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            print(title)
            _print_fields(value, f"{indent}  ")
        elif value not in (None, "", [], ()):
            print(f"{title:<24} {_format_value(value)}")


def _format_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        few = len(value) <= _FEW and not any(isinstance(v, dict | list) for v in value)
        return ", ".join(_format_value(v) for v in value) if few else f"{len(value)} entries"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
