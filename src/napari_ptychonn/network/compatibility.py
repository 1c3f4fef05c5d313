"""Comparison of the scan that a model is applied to with the one that it was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.formatting import format_count, format_length
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    from napari_ptychonn.network.model import TrainedModel

FRAMES = 32
"""Frames whose mean is compared."""

SAME = 0.01
"""Relative difference of pixels and energies below which they are the same."""

REFUSED = 2.0
"""Factor between the object pixels above which a model is not applied.

The beam then covers half as many pixels, or twice as many, as the network was trained for.
"""

CORRELATED = 0.7
"""Correlation of the roots of the mean frames below which another illumination is reported."""

BRIGHTER = 2.0
"""Ratio of the mean counts above which another dose is reported."""

HIDDEN = 0.02
"""Share of the counts in additional bad pixels above which they are reported."""


def describe_training_scan(scan: Scan) -> dict[str, Any]:
    """What a model records about its scan, as plain JSON values; None where unknown."""
    return {"energy_kev": scan.optics.energy_kev, "object_pixel_m": _object_pixel(scan)}


def mean_frame(scan: Scan, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean counts (ky, kx) of some of the frames; 0 at bad pixels."""
    chosen = indices[np.unique(np.linspace(0, len(indices) - 1, FRAMES).astype(np.int64))]
    frames = np.asarray(scan.read(chosen), np.float32)
    mean = np.nan_to_num(frames, nan=0.0, posinf=0.0, neginf=0.0).mean(axis=0)
    return np.where(_good(scan), np.maximum(mean, 0.0), 0.0).astype(np.float32)


def convert_pixel_size(model: TrainedModel, scan: Scan) -> tuple[float, float] | None:
    """Object pixel (y, x), m, of a model's patches in a scan of other optics.

    Parameters
    ----------
    model : TrainedModel
        That records the object pixel of its training scan.
    scan : Scan
        Another scan.

    Returns
    -------
    tuple of float or None
        None where the optics are the same, or those of one of them are unknown.

    Raises
    ------
    InputError
        When the object pixels differ by more than `REFUSED`.
    """
    trained, present = _recorded_pixel(model), _object_pixel(scan)
    if trained is None or present is None or _is_trained_on(model, scan):
        return None
    ratio = np.asarray(present) / np.asarray(trained)
    if (np.abs(ratio - 1) <= SAME).all():
        return None
    if ratio.max() > REFUSED * (1 + SAME) or ratio.min() < (1 - SAME) / REFUSED:
        raise InputError(
            f"{scan.name}: the object pixel is {_length(present)} and that of the scan that the "
            f"model was trained on {_length(trained)}; the network cannot be applied. Check "
            "energy, detector distance and pixel pitch, crop, or train on this scan.",
            expected=trained,
            got=present,
        )
    y, x = np.asarray(model.pixel_size) * ratio
    return float(y), float(x)


def compare_scans(model: TrainedModel, scan: Scan) -> tuple[str, ...]:
    """One sentence for each difference that matters for predictions.

    Parameters
    ----------
    model : TrainedModel
        Trained on frames of the same shape.
    scan : Scan
        The one that it is applied to; at most `FRAMES` frames are read.

    Raises
    ------
    InputError
        See `convert_pixel_size`.
    """
    if len(scan) == 0 or scan.frame_shape != model.preprocessing.frame_shape:
        return ()
    if _is_trained_on(model, scan):
        contradiction = model.provenance.get("positions_warning")
        return () if contradiction is None else (str(contradiction),)
    return (*_compare_optics(model, scan), *_compare_frames(model, scan))


def _compare_optics(model: TrainedModel, scan: Scan) -> list[str]:
    found: list[str] = []
    converted = convert_pixel_size(model, scan)
    if converted is not None:
        found.append(
            f"The object pixel of this scan is {_length(_object_pixel(scan))} and that of the scan "
            f"that the model was trained on {_length(_recorded_pixel(model))}: patches are placed "
            f"with pixels of {_length(converted)}, and the beam covers another number of pixels."
        )
    trained, present = model.provenance.get("energy_kev"), scan.optics.energy_kev
    if trained and present and abs(present / trained - 1) > SAME:
        found.append(
            f"The energy of this scan is {present:.4g} keV, and the model was trained at "
            f"{trained:.4g} keV: phase and amplitude of the same material differ."
        )
    return found


def _compare_frames(model: TrainedModel, scan: Scan) -> list[str]:
    found: list[str] = []
    if model.mean_frame is None:
        return found
    trained, present = model.mean_frame, mean_frame(scan, np.arange(len(scan)))
    total = float(trained.sum())
    if not total > 0:
        return []
    hidden = ~_good(scan) & (trained > 0)
    if (share := float(trained[hidden].sum()) / total) > HIDDEN:
        found.append(
            f"{format_count(int(hidden.sum()), 'detector pixel')} masked in this scan held "
            f"{100 * share:.0f} % of the counts in training."
        )
    both = (trained > 0) & _good(scan)
    ratio = float(present[both].sum()) / max(float(trained[both].sum()), 1e-12)
    if not 1 / BRIGHTER <= ratio <= BRIGHTER:
        found.append(
            f"A frame holds {ratio:.3g} times the counts of those that the model was trained on "
            f"({present[both].sum():.3g} and {trained[both].sum():.3g}): predicted amplitudes "
            "change with it, and errors are not those of the validation frames."
        )
    correlation = _correlation(np.sqrt(trained[both]), np.sqrt(present[both]))
    if correlation < CORRELATED:
        found.append(
            f"The mean frame differs from that of the training scan (correlation "
            f"{correlation:.2f}): the illumination, the centre or the orientation is another."
        )
    return found


def _recorded_pixel(model: TrainedModel) -> tuple[float, float] | None:
    """Object pixel of the training scan; that of the patches where only this is known."""
    if model.unit != "m":
        return None
    y, x = model.provenance.get("object_pixel_m") or model.pixel_size
    return float(y), float(x)


def _is_trained_on(model: TrainedModel, scan: Scan) -> bool:
    return model.provenance.get("scan_key") == scan.fingerprint


def _object_pixel(scan: Scan) -> tuple[float, float] | None:
    return scan.pixel_size if scan.unit == "m" else scan.optics.object_pixel(scan.frame_shape)


def _good(scan: Scan) -> NDArray[np.bool_]:
    return np.ones(scan.frame_shape, bool) if scan.valid is None else scan.valid


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / norm if norm else 1.0


def _length(pixel: tuple[float, float] | None) -> str:
    assert pixel is not None
    y, x = (format_length(edge, "m") for edge in pixel)
    return y if y == x else f"{y} x {x}"
