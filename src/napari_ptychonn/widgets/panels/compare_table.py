"""The numbers of a comparison as rich text, which takes the theme's colours and can be copied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_ptychonn.comparison.metrics import Comparison

COLUMNS = ("single<br>shot", "illumi-<br>nated", "mosaic", "con-<br>stant")
MOSAIC_COLUMNS = ("mosaic:<br>phase", "<br>amplitude")
Row = tuple[str, tuple[float | None, ...]]


def rows(comparison: Comparison) -> list[Row]:
    """Label and one number to a column; None where a number makes no sense."""
    shot, lit, mosaic = comparison.single_shot, comparison.illuminated, comparison.mosaic
    phase = (shot.phase_correlation, lit.phase_correlation, mosaic.phase_correlation, None)
    amplitude = (
        shot.amplitude_correlation,
        lit.amplitude_correlation,
        mosaic.amplitude_correlation,
        None,
    )
    return [
        (
            "phase error, rad",
            (shot.phase_mae, lit.phase_mae, mosaic.phase_mae, shot.constant_phase_mae),
        ),
        ("phase correlation", phase),
        (
            "amplitude error",
            (
                shot.amplitude_mae,
                lit.amplitude_mae,
                mosaic.amplitude_mae,
                shot.constant_amplitude_mae,
            ),
        ),
        ("ampl. correlation", amplitude),
    ]


def errors_table(comparison: Comparison) -> str:
    """Errors and correlations of patches and mosaic."""
    return _table(
        COLUMNS, [(label, [_number(v) for v in values]) for label, values in rows(comparison)]
    )


def mosaic_table(comparison: Comparison) -> str:
    """What only an image has: noise, likeness, resolution."""
    e = comparison.mosaic
    made = [
        ("PSNR, dB", [f"{e.phase_psnr:.1f}", f"{e.amplitude_psnr:.1f}"]),
        ("SSIM", [_number(e.phase_ssim), _number(e.amplitude_ssim)]),
        ("resolution", [str(e.phase_resolution), str(e.amplitude_resolution)]),
    ]
    return _table(MOSAIC_COLUMNS, made)


def _table(head: Sequence[str], lines: Sequence[tuple[str, Sequence[str]]]) -> str:
    made = ["".join(f'<th align="right">{name}</th>' for name in ("", *head))]
    for label, values in lines:
        cells = "".join(f'<td align="right">{value}</td>' for value in values)
        made.append(f"<td>{label}</td>{cells}")
    body = "".join(f"<tr>{line}</tr>" for line in made)
    return f'<table width="100%" cellpadding="2" style="font-size: small">{body}</table>'


def _number(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.3f}"
