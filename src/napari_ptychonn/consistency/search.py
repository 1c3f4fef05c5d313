"""Search for the correction under which object and probe explain the frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.consistency.far_field import Measured, correlate, modelled_frames, spectra
from napari_ptychonn.data.frame_transforms import TRANSPOSE, reorient
from napari_ptychonn.data.patches import on_object
from napari_ptychonn.data.reconstruction import Reconstruction

SCALES = np.unique(np.round(np.r_[1.2 ** np.arange(-13.0, 14.0), 10.0 ** np.arange(-9, 10)], 12))
"""Factors of positions that are tried; each is refined if it explains the frames better."""

_FEWEST = 6
"""Frames that must lie on the object for a correction to be tried."""

_SEARCHED = 16
"""Frames by which all orientations are compared."""

_MOST_TRIED = 4
_SMALLEST = 32
_POWER = 0.97

_CENTRAL = 12
"""Frames near the middle of the scan by which scales are compared."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A correction, and how far it correlates frames with the far field (1: all of it)."""

    correction: ScanCorrection
    correlation: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """What corrections are searched for.

    Attributes
    ----------
    measured : Measured
        m frames as read.
    positions : ndarray of float64
        (m, 2) of them.
    every_position : ndarray of float64
        (n, 2) of the scan, whose middle positions are mirrored about.
    reconstruction : Reconstruction
        Aligned to the scan.
    probe : ndarray of complex64
        (modes, ky, kx).
    positions_are_known : bool
        Whether positions are the reconstruction's own, so that they are not in question.
    """

    measured: Measured
    positions: NDArray[np.float64]
    every_position: NDArray[np.float64]
    reconstruction: Reconstruction
    probe: NDArray[np.complex64]
    positions_are_known: bool

    def corrected_positions(self, correction: ScanCorrection) -> NDArray[np.float64]:
        """(m, 2) positions of the frames after a correction of the whole scan."""
        rows = np.concatenate([self.every_position, self.positions])
        if correction.about_zero or not (correction.positions or correction.scale != 1):
            return correction.apply_to_positions(self.positions)
        return correction.apply_to_positions(rows)[len(self.every_position) :]

    def covered(self, correction: ScanCorrection) -> NDArray[np.bool_]:
        """(m,) whether frames lie on the object after a correction."""
        return on_object(
            self.reconstruction, self.corrected_positions(correction), self.probe.shape[-2:]
        )

    def reduced(self) -> Subject:
        """Return it with every q-th detector pixel, for the middle of the probe.

        The middle (py / q, px / q) holds nearly all of the probe's power, so that the
        far field of it is that of the whole at every q-th pixel.
        """
        power = (np.abs(self.probe) ** 2).sum(axis=0)
        whole = shape = self.probe.shape[-2:]
        rows = columns = slice(None)
        while min(shape) % 4 == 0 and max(s % 4 for s in shape) == 0 and min(shape) >= _SMALLEST:
            half = (shape[0] // 2, shape[1] // 2)
            inner = [
                slice(n // 2 - h // 2, n // 2 + h // 2) for n, h in zip(whole, half, strict=True)
            ]
            if power[inner[0], inner[1]].sum() < _POWER * power.sum():
                break
            shape, (rows, columns) = half, inner
        q = whole[0] // shape[0]
        return replace(
            self,
            measured=Measured(
                roots=np.ascontiguousarray(self.measured.roots[:, ::q, ::q]),
                good=self.measured.good[::q, ::q],
            ),
            probe=self.probe[:, rows, columns],
        )

    def rows(self, rows: NDArray[np.int64]) -> Subject:
        """Return it with some of its frames."""
        measured = self.measured
        return replace(
            self,
            measured=Measured(roots=measured.roots[rows], good=measured.good),
            positions=self.positions[rows],
        )


def search_orientations(subject: Subject) -> list[Candidate]:
    """Correlate the frames in eight orientations with the object at positions in eight.

    The peak of the correlation of each pair gives the shift of the zero frequency.  All
    pairs are compared on fewer pixels and frames, the best of them on all.
    """
    base = [ScanCorrection()]
    if not subject.positions_are_known:
        about = (False,) if _is_centred(subject) else (False, True)
        base += [
            ScanCorrection(positions=p, about_zero=zero) for zero in about for p in range(1, 8)
        ]
    spread = np.linspace(0, len(subject.positions) - 1, _SEARCHED).astype(np.int64)
    few = subject.rows(np.unique(spread))
    ranked = sorted(_correlations(few.reduced(), base), key=_by_correlation, reverse=True)[
        :_MOST_TRIED
    ]
    return [
        c
        for each in ranked
        for c in _correlations(
            few, [replace(each.correction, frames=0, shift=(0, 0))], each.correction.frames
        )
    ]


def _is_centred(subject: Subject) -> bool:
    """Whether the middle of the scan is (0, 0), within a pixel of the object."""
    extremes = subject.every_position.min(axis=0) + subject.every_position.max(axis=0)
    return bool((np.abs(extremes / 2) <= np.asarray(subject.reconstruction.pixel_size)).all())


def search_scales(subject: Subject, frames: int = 0) -> list[Candidate]:
    """Correlate the frames with the object at positions scaled by `SCALES`, then refined."""
    if subject.positions_are_known:
        return []
    orientation = ScanCorrection(frames=frames)
    subject = subject.reduced()
    centred = _is_centred(subject)
    middle = (subject.every_position.min(axis=0) + subject.every_position.max(axis=0)) / 2
    order = np.argsort(np.hypot(*(subject.positions - middle).T))
    central = subject.rows(order[:_CENTRAL])
    coarse = [
        replace(orientation, scale=float(f), about_zero=zero)
        for f in SCALES
        for zero in ((False,) if centred else (False, True))
    ]
    found = list(_correlations(central, coarse, only=frames))
    if not found:
        return []
    best = max(found, key=_by_correlation)
    step, few = 1.2, _CENTRAL
    while step > 1.001:
        step, few = step**0.5, min(2 * few, len(order))
        factors = best.correction.scale * step ** np.arange(-2.0, 3.0)
        near = [replace(best.correction, scale=float(f)) for f in factors]
        finer = list(_correlations(subject.rows(order[:few]), near, only=frames))
        if not finer:
            break
        best = max(finer, key=_by_correlation)
    return [best]


def _by_correlation(candidate: Candidate) -> float:
    return candidate.correlation


def _correlations(
    subject: Subject, corrections: list[ScanCorrection], only: int | None = None
) -> Iterator[Candidate]:
    """Yield each correction of positions with each orientation of the frames."""
    deviations = subject.measured.deviations
    square = deviations.shape[-1] == deviations.shape[-2]
    orientations = [k for k in range(8) if square or not k & TRANSPOSE]
    if only is not None:
        orientations = [only]
    measured = {k: spectra(np.ascontiguousarray(reorient(deviations, k))) for k in orientations}
    for correction in corrections:
        covered = subject.covered(correction)
        if covered.sum() < _FEWEST:
            continue
        where = subject.corrected_positions(correction)[covered]
        model = Measured(
            roots=np.sqrt(modelled_frames(subject.reconstruction, subject.probe, where)),
            good=np.ones(subject.measured.good.shape, bool),
        ).deviations
        modelled, strength = spectra(model), float((model**2).sum())
        for k in orientations:
            power = float((deviations[covered] ** 2).sum())
            # The measured frame is to be moved by minus the place of the peak.
            peak = correlate(measured[k][covered], modelled)
            place = np.unravel_index(int(peak.argmax()), peak.shape)
            shift = tuple(
                int((-p + n // 2) % n - n // 2) for p, n in zip(place, peak.shape, strict=True)
            )
            yield Candidate(
                correction=replace(correction, frames=k, shift=(shift[0], shift[1])),
                correlation=float(peak.max()) / max(np.sqrt(power * strength), 1e-30),
            )
