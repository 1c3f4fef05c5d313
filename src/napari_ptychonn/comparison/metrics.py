"""How far predictions are from a reconstruction, always beside the error of a constant."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.comparison.aligned_images import AlignedImages
from napari_ptychonn.comparison.registration import Alignment, phase_offset, wrap
from napari_ptychonn.comparison.ring_correlation import Resolution
from napari_ptychonn.data.patch_store import PatchSet, iterate_batches, select_patches
from napari_ptychonn.data.patches import Patches, cut_patches, on_object
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.deprecation import RenamedAttribute
from napari_ptychonn.errors import InputError
from napari_ptychonn.stitching.mosaic import patch_weight

FloatArray = NDArray[np.floating[Any]]

SAMPLE = 2048
"""Medians are those of at most so many patches, evenly chosen; every patch counts in the means."""


@dataclass(frozen=True, kw_only=True)
class PatchErrors:
    """Errors of single-shot patches against the labels of the same frames.

    Attributes
    ----------
    phase_mae : float
        Mean absolute phase error over all patches after one global offset, rad.
    phase_correlation : float
        Mean over the patches of Pearson's correlation within a patch.
    amplitude_mae, amplitude_correlation : float
        The same for the amplitude, in the label's units, without offset.
    constant_phase_mae, constant_amplitude_mae : float
        What predicting one constant (the labels' median) would give.
    """

    phase_mae: float
    phase_correlation: float
    amplitude_mae: float
    amplitude_correlation: float
    constant_phase_mae: float
    constant_amplitude_mae: float


@dataclass(frozen=True, kw_only=True)
class ImageErrors:
    """Errors of the mosaic of the compared frames, where the beam went and the object is.

    Attributes
    ----------
    pixels : int
        Compared.
    phase_mae, amplitude_mae : float
        After the alignment, rad and label units.
    phase_correlation, amplitude_correlation : float
        Pearson's, over all pixels.
    phase_psnr, amplitude_psnr : float
        dB, relative to the range between the label's 1st and 99th percentile.
    phase_ssim, amplitude_ssim : float
        Structural similarity (Wang et al. 2004), mean over the compared pixels.
    phase_resolution, amplitude_resolution : Resolution
        Where the Fourier ring correlation falls below the 1/2-bit curve.
    constant_phase_mae, constant_amplitude_mae : float
        What one constant would give.
    alignment : Alignment
        Shift, scale, phase offset and ramp that were taken away.
    """

    pixels: int
    phase_mae: float
    amplitude_mae: float
    phase_correlation: float
    amplitude_correlation: float
    phase_psnr: float
    amplitude_psnr: float
    phase_ssim: float
    amplitude_ssim: float
    phase_resolution: Resolution
    amplitude_resolution: Resolution
    constant_phase_mae: float
    constant_amplitude_mae: float
    alignment: Alignment


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Predictions against a reconstruction.

    Attributes
    ----------
    frames : int
        Compared.
    left_out : int
        Frames skipped because their patch extends beyond the object.
    single_shot : PatchErrors
        Every pixel of the patch counts the same.
    illuminated : PatchErrors
        Pixels are weighted by the probe's blurred intensity.
    mosaic : ImageErrors
        Overlap average of the compared frames alone.
    aligned : AlignedImages
        The images behind `mosaic`; no part of `as_dict`.
    """

    frames: int
    left_out: int
    single_shot: PatchErrors
    illuminated: PatchErrors
    mosaic: ImageErrors
    aligned: AlignedImages = field(repr=False, compare=False)

    lit = RenamedAttribute("illuminated")
    pair = RenamedAttribute("aligned")

    def as_dict(self) -> dict[str, Any]:
        """Nested plain values; what is not a finite number is None."""
        plain: dict[str, Any] = _plain(
            {
                "frames": self.frames,
                "left_out": self.left_out,
                "single_shot": asdict(self.single_shot),
                "lit": asdict(self.illuminated),
                "mosaic": asdict(self.mosaic),
            }
        )
        return plain

    @property
    def sentence(self) -> str:
        """One line for a person."""
        e = self.single_shot
        return (
            f"{self.frames} frames: phase off by {e.phase_mae:.3f} rad "
            f"(a constant: {e.constant_phase_mae:.3f}), correlation {e.phase_correlation:.3f}; "
            f"amplitude correlation {e.amplitude_correlation:.2f}"
        )


def compare(
    predictions: PatchSet,
    positions: NDArray[np.float64],
    reconstruction: Reconstruction,
    probe: NDArray[np.complex64] | None = None,
) -> Comparison:
    """Compare single-shot predictions, and their mosaic, with a reconstruction.

    Parameters
    ----------
    predictions : Patches or LazyPatches
        m patches (py, px).
    positions : ndarray of float64
        (m, 2) where they lie, in the reconstruction's unit.
    reconstruction : Reconstruction
        Placed under the scan.
    probe : ndarray of complex64, optional
        (modes, y, x) that lit the patches; the reconstruction's own by default.

    Returns
    -------
    Comparison
        The single-shot numbers are those of the design: mean correlation per
        patch, and mean absolute error after one global phase offset.

    Raises
    ------
    InputError
        When no patch lies on the object.
    """
    there = on_object(reconstruction, positions, predictions.shape)
    if not there.any():
        raise InputError(
            f"none of the {len(predictions)} predicted patches lies on the object of "
            f"{reconstruction.name}."
        )
    predicted, where = select_patches(predictions, np.flatnonzero(there)), positions[there]
    shape = predictions.shape
    weight = patch_weight(reconstruction.probe if probe is None else probe, shape)
    pair = AlignedImages.from_patches(predicted, where, reconstruction, weight)
    single_shot, illuminated = patch_errors(
        predicted, where, reconstruction, (np.ones(shape), weight)
    )
    return Comparison(
        frames=len(predicted),
        left_out=int((~there).sum()),
        single_shot=single_shot,
        illuminated=illuminated,
        mosaic=mosaic_errors(pair),
        aligned=pair,
    )


def patch_errors(
    predicted: PatchSet,
    positions: NDArray[np.float64],
    reconstruction: Reconstruction,
    weights: tuple[FloatArray, ...],
) -> list[PatchErrors]:
    """Errors of any number of patches, for each way to weigh their pixels."""
    weights = tuple(weight / weight.mean() for weight in weights)

    def labels(rows: slice | NDArray[np.int64]) -> Patches:
        where = positions[rows]
        return cut_patches(reconstruction, where, np.arange(len(where)), predicted.shape)

    few = np.unique(np.linspace(0, len(predicted) - 1, SAMPLE).astype(np.int64))
    some, wanted = predicted[few], labels(few)
    constants = [_Constants.from_patches(some, wanted, weight) for weight in weights]
    parts: list[list[PatchErrors]] = [[] for _ in weights]
    counts = []
    for rows, batch in iterate_batches(predicted):
        cut = labels(rows)
        counts.append(len(batch))
        for found, weight, constant in zip(parts, weights, constants, strict=True):
            found.append(_errors(batch, cut, weight, constant))
    return [_mean(found, counts) for found in parts]


@dataclass(frozen=True, kw_only=True)
class _Constants:
    """What the errors of patches are counted from.

    Attributes
    ----------
    phase, amplitude : float
        Of the labels: what predicting one constant would give.
    offset : float
        Of the predicted phase over the labels', rad.
    """

    phase: float
    amplitude: float
    offset: float

    @classmethod
    def from_patches(cls, predicted: Patches, labels: Patches, weight: FloatArray) -> _Constants:
        everywhere = np.broadcast_to(weight, labels.phase.shape)
        phase = labels.phase.astype(np.float64)
        return cls(
            phase=phase_offset(phase, everywhere),
            amplitude=float(np.median(labels.amplitude)),
            offset=phase_offset(predicted.phase - phase, everywhere),
        )


def _mean(parts: list[PatchErrors], counts: list[int]) -> PatchErrors:
    """Errors of all patches from those of parts of them."""
    names = [each.name for each in fields(PatchErrors)]
    values = np.average([[getattr(p, name) for name in names] for p in parts], 0, counts)
    return PatchErrors(**dict(zip(names, values.tolist(), strict=True)))


def _errors(
    predicted: Patches, labels: Patches, weight: FloatArray, constants: _Constants
) -> PatchErrors:
    predicted, labels = (
        replace(p, amplitude=p.amplitude.astype(np.float64), phase=p.phase.astype(np.float64))
        for p in (predicted, labels)
    )
    difference = predicted.phase - labels.phase
    # The label's phase is unwrapped around its own constant, so that a patch that
    # crosses ±π is not torn in the correlation.
    label_phase = wrap(labels.phase - constants.phase)
    predicted_phase = label_phase + wrap(difference - constants.offset)
    return PatchErrors(
        phase_mae=_mean_absolute(predicted_phase - label_phase, weight),
        phase_correlation=_mean_correlation(predicted_phase, label_phase, weight),
        amplitude_mae=_mean_absolute(predicted.amplitude - labels.amplitude, weight),
        amplitude_correlation=_mean_correlation(predicted.amplitude, labels.amplitude, weight),
        constant_phase_mae=_mean_absolute(label_phase, weight),
        constant_amplitude_mae=_mean_absolute(labels.amplitude - constants.amplitude, weight),
    )


def mosaic_errors(pair: AlignedImages) -> ImageErrors:
    """Errors of a mosaic that was aligned to the object under it."""
    mask = pair.mask
    phase, wanted_phase = pair.images("phase")
    amplitude, wanted_amplitude = pair.images("amplitude")
    median = float(np.median(wanted_amplitude[mask]))
    return ImageErrors(
        pixels=int(mask.sum()),
        phase_mae=float(np.mean(np.abs(phase - wanted_phase)[mask])),
        amplitude_mae=float(np.mean(np.abs(amplitude - wanted_amplitude)[mask])),
        phase_correlation=_correlation(phase[mask], wanted_phase[mask]),
        amplitude_correlation=_correlation(amplitude[mask], wanted_amplitude[mask]),
        phase_psnr=_psnr(phase, wanted_phase, mask),
        amplitude_psnr=_psnr(amplitude, wanted_amplitude, mask),
        phase_ssim=_ssim(phase, wanted_phase, mask),
        amplitude_ssim=_ssim(amplitude, wanted_amplitude, mask),
        phase_resolution=pair.rings("phase").resolution,
        amplitude_resolution=pair.rings("amplitude").resolution,
        constant_phase_mae=float(np.mean(np.abs(wanted_phase[mask]))),
        constant_amplitude_mae=float(np.mean(np.abs(wanted_amplitude[mask] - median))),
        alignment=pair.alignment,
    )


def _mean_absolute(values: FloatArray, weight: FloatArray) -> float:
    return float(np.mean(np.abs(values) * weight))


def _mean_correlation(a: FloatArray, b: FloatArray, weight: FloatArray) -> float:
    """Mean of the weighted correlations of pairs of patches; a constant patch counts as 0."""
    a, b = (v - np.mean(v * weight, axis=(1, 2), keepdims=True) for v in (a, b))
    covariance = np.mean(a * b * weight, axis=(1, 2))
    spread = np.sqrt(np.mean(a * a * weight, axis=(1, 2)) * np.mean(b * b * weight, axis=(1, 2)))
    return float(np.mean(covariance / np.maximum(spread, 1e-12)))


def _correlation(a: FloatArray, b: FloatArray) -> float:
    return _mean_correlation(a[None, None], b[None, None], np.ones((1, 1)))


def _psnr(image: FloatArray, target: FloatArray, mask: NDArray[np.bool_]) -> float:
    mean_square = float(np.mean((image - target)[mask] ** 2))
    return 20 * math.log10(_range(target, mask)) - 10 * math.log10(max(mean_square, 1e-30))


def _ssim(image: FloatArray, target: FloatArray, mask: NDArray[np.bool_]) -> float:
    from skimage.metrics import structural_similarity

    if min(image.shape) < 7:
        return math.nan
    images = (np.where(mask, a, 0.0) for a in (image, target))
    _, similarity = structural_similarity(*images, data_range=_range(target, mask), full=True)
    return float(similarity[mask].mean())


def _range(target: FloatArray, mask: NDArray[np.bool_]) -> float:
    low, high = np.percentile(target[mask], [1, 99])
    return max(float(high - low), 1e-12)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
