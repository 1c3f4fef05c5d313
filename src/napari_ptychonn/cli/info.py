"""``napari-ptychonn info``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from napari_ptychonn.cli.console import (
    print_json,
)
from napari_ptychonn.cli.options import (
    JsonOption,
    PositionsOption,
)


def info(
    scan: Annotated[str, typer.Argument(metavar="FILE", help="Any file, or FILE::/group.")],
    positions: PositionsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a file contains, with every warning."""
    from napari_ptychonn.io import describe

    description = describe(scan, beside=True, positions=positions).as_dict()
    if as_json:
        print_json(description)
        return
    notes, warnings = description.pop("notes", ()), description.pop("warnings", ())
    companions = description.pop("companions", ())
    _print_fields(description)
    for companion in companions:
        print(f"nearby file: {companion}")
    for warning in warnings:
        print(f"warning: {warning}")
    for note in notes:
        print(f"note: {note}")


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
