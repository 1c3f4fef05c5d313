"""Errors of predictions against a reconstruction, with the errors of a constant."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.comparison.aligned_images import AlignedImages
from napari_ptychonn.comparison.registration import Alignment, phase_offset, wrap
from napari_ptychonn.comparison.ring_correlation import Resolution
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.patch_store import PatchSet, iterate_batches, select_patches
from napari_ptychonn.data.patches import Patches, cut_patches, on_object
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.deprecation import RenamedAttribute
from napari_ptychonn.errors import InputError
from napari_ptychonn.stitching.mosaic import patch_weight

FloatArray = NDArray[np.floating[Any]]

SAMPLE = 2048
"""Patches used for medians, evenly chosen; means are over all patches."""


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
        Errors of a constant, the median of the labels.
    """

    phase_mae: float
    phase_correlation: float
    amplitude_mae: float
    amplitude_correlation: float
    constant_phase_mae: float
    constant_amplitude_mae: float


@dataclass(frozen=True, kw_only=True)
class ImageErrors:
    """Errors of the mosaic of the compared frames, over illuminated pixels of the object.

    Attributes
    ----------
    pixels : int
        Number of compared pixels.
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
        Errors of a constant.
    alignment : Alignment
        Shift, scale, phase offset and ramp that were removed.
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
        Number of compared frames.
    left_out : int
        Frames skipped because their patch extends beyond the object.
    single_shot : PatchErrors
        Every pixel of a patch has the same weight.
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
        """Nested plain values; numbers that are not finite are None.

        `illuminated` keeps its old key 'lit', on which scripts rely.
        """
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
            f"{format_count(self.frames, 'frame')}: phase off by {e.phase_mae:.3f} rad "
            f"(a constant: {e.constant_phase_mae:.3f}), correlation {e.phase_correlation:.3f}; "
            f"amplitude correlation {e.amplitude_correlation:.2f}"
        )


def compare(
    predictions: PatchSet,
    positions: NDArray[np.float64],
    reconstruction: Reconstruction,
    probe: NDArray[np.complex64] | None = None,
) -> Comparison:
    """Compare single-shot predictions and their mosaic with a reconstruction.

    Parameters
    ----------
    predictions : Patches or LazyPatches
        m patches (py, px).
    positions : ndarray of float64
        (m, 2) of their centres, in the reconstruction's unit.
    reconstruction : Reconstruction
        Aligned to the scan.
    probe : ndarray of complex64, optional
        (modes, y, x) for the illumination; the reconstruction's own by default.

    Returns
    -------
    Comparison
        Single-shot errors are the mean correlation per patch, and the mean absolute error
        after one global phase offset.

    Raises
    ------
    InputError
        When no patch lies on the object.
    """
    covered = on_object(reconstruction, positions, predictions.shape)
    if not covered.any():
        raise InputError(
            f"none of the {len(predictions)} predicted patches lies on the object of "
            f"{reconstruction.name}."
        )
    predicted, where = select_patches(predictions, np.flatnonzero(covered)), positions[covered]
    shape = predictions.shape
    weight = patch_weight(reconstruction.probe if probe is None else probe, shape)
    aligned = AlignedImages.from_patches(predicted, where, reconstruction, weight)
    single_shot, illuminated = patch_errors(
        predicted, where, reconstruction, (np.ones(shape), weight)
    )
    return Comparison(
        frames=len(predicted),
        left_out=int((~covered).sum()),
        single_shot=single_shot,
        illuminated=illuminated,
        mosaic=mosaic_errors(aligned),
        aligned=aligned,
    )


def patch_errors(
    predicted: PatchSet,
    positions: NDArray[np.float64],
    reconstruction: Reconstruction,
    weights: tuple[FloatArray, ...],
) -> list[PatchErrors]:
    """Errors of patches in memory-bounded batches, for each of the pixel weights (py, px)."""
    weights = tuple(weight / weight.mean() for weight in weights)

    def labels(rows: slice | NDArray[np.int64]) -> Patches:
        where = positions[rows]
        return cut_patches(reconstruction, where, np.arange(len(where)), predicted.shape)

    few = np.unique(np.linspace(0, len(predicted) - 1, SAMPLE).astype(np.int64))
    sample, reference = predicted[few], labels(few)
    constants = [_Constants.from_patches(sample, reference, weight) for weight in weights]
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
    """Medians that the errors of patches are relative to.

    Attributes
    ----------
    phase, amplitude : float
        Medians of the labels.
    offset : float
        Median of predicted minus label phase, rad.
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
    """Mean of the errors of batches."""
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
    # Labels are wrapped around their median, so that a patch across ±π has no jump.
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


def mosaic_errors(aligned: AlignedImages) -> ImageErrors:
    """Errors of aligned images."""
    mask = aligned.mask
    phase, reference_phase = aligned.images("phase")
    amplitude, reference_amplitude = aligned.images("amplitude")
    median = float(np.median(reference_amplitude[mask]))
    return ImageErrors(
        pixels=int(mask.sum()),
        phase_mae=float(np.mean(np.abs(phase - reference_phase)[mask])),
        amplitude_mae=float(np.mean(np.abs(amplitude - reference_amplitude)[mask])),
        phase_correlation=_correlation(phase[mask], reference_phase[mask]),
        amplitude_correlation=_correlation(amplitude[mask], reference_amplitude[mask]),
        phase_psnr=_psnr(phase, reference_phase, mask),
        amplitude_psnr=_psnr(amplitude, reference_amplitude, mask),
        phase_ssim=_ssim(phase, reference_phase, mask),
        amplitude_ssim=_ssim(amplitude, reference_amplitude, mask),
        phase_resolution=aligned.rings("phase").resolution,
        amplitude_resolution=aligned.rings("amplitude").resolution,
        constant_phase_mae=float(np.mean(np.abs(reference_phase[mask]))),
        constant_amplitude_mae=float(np.mean(np.abs(reference_amplitude[mask] - median))),
        alignment=aligned.alignment,
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
