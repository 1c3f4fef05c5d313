"""Write a comparison as a figure, a table or JSON, chosen by the extension."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_ptychonn.atomic_file import replacing
from napari_ptychonn.comparison.profile import Line
from napari_ptychonn.comparison.report import Report
from napari_ptychonn.errors import InputError

PICTURES, TABLES = (".png", ".pdf", ".svg"), (".csv", ".json")
HEADER = ("quantity", "at", "value")


def check_kind(path: str | Path) -> str:
    """Return the extension of a file that `write_report` can write.

    Raises
    ------
    InputError
        Naming the extensions that can be written.
    """
    kind = Path(path).suffix.lower()
    if kind not in (*PICTURES, *TABLES):
        known = ", ".join((*PICTURES, *TABLES))
        raise InputError(f"{path}: expected a name that ends in one of {known}.")
    return kind


def write_report(path: str | Path, report: Report, line: Line | None = None) -> Path:
    """Write a figure, or numbers and curves; the file is replaced only once it is complete.

    Parameters
    ----------
    path : str or Path
        ``.png``, ``.pdf`` and ``.svg`` become one page with mosaics, differences, rings,
        profiles and numbers; ``.csv`` and ``.json`` numbers and curves.
    report : Report
        What to write.
    line : tuple, optional
        ((y, x), (y, x)) in the scan's unit; `Report.line` by default.

    Raises
    ------
    InputError
        When the extension is none of these, the line does not touch what was
        compared, or the file cannot be written.
    """
    path = Path(path)
    kind = check_kind(path)
    if line is not None and report.full_mosaic.profile(line, "phase").is_empty:
        raise InputError("the line of the profile does not touch what was compared.")
    with replacing(path) as temporary:
        if kind == ".json":
            whole = report.numbers() | report.curves(line)
            temporary.write_text(json.dumps(whole, indent=1, allow_nan=False), encoding="utf-8")
        elif kind == ".csv":
            with temporary.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([HEADER, *_rows(report, line)])
        else:
            from napari_ptychonn import plots

            plots.save_figure(plots.plot_comparison(report, line), temporary, kind[1:])
    return path


def _rows(report: Report, line: Line | None) -> Iterator[tuple[str, Any, Any]]:
    """Yield one number per row; `at` is the frequency or the distance along the line of a curve."""
    yield from ((name, None, value) for name, value in _flat(report.numbers()))
    curves = report.curves(line)
    rings, profile = curves["ring_correlation"], curves["profile"]
    for name in ("phase", "amplitude", "threshold"):
        for at, value in zip(rings["frequency"], rings[name], strict=True):
            yield f"ring_correlation.{name}", at, value
    for channel in ("phase", "amplitude"):
        for name, values in profile[channel].items():
            for at, value in zip(profile["distance"], values, strict=True):
                yield f"profile.{channel}.{name}", at, value
    for end, (y, x) in zip(("start", "end"), profile["line"], strict=True):
        yield f"profile.line.{end}.y", None, y
        yield f"profile.line.{end}.x", None, x


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Flatten nested values to dotted names; (y, x) pairs to .y and .x."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list):
            yield from ((f"{name}.{axis}", part) for axis, part in zip("yx", value, strict=True))
        else:
            yield name, value
