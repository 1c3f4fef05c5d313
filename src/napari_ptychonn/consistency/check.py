"""Check of a scan against an object and a probe, in units of photon noise."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.consistency.far_field import Measured, modelled_frames
from napari_ptychonn.consistency.search import (
    Candidate,
    Subject,
    search_orientations,
    search_scales,
)
from napari_ptychonn.data.formatting import format_count
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan

FRAMES = 32
"""Frames that are compared at most."""

FEWEST = 4
"""Frames that must lie on the object for a check."""

EXPLAINED = 0.8
"""Share of the excess that reconstructions of their own frames explain at least.

0.86 with two reconstructions of a real scan (Siemens star), 0.92 and more with simulated ones.
"""

FAR_BETTER = 0.6
"""Ratio of what is left unexplained below which a correction is offered."""

LEAST = 0.5
"""Share that a correction must explain to be offered, and below which a doubt is reported."""

_SIGNIFICANT = 4.0
_AS_MUCH = 0.02
_MOST_TRIED = 2


@dataclass(frozen=True, kw_only=True)
class FarFieldCheck:
    """How well object and probe explain the frames of a scan.

    Attributes
    ----------
    frames : int
        Number compared.
    explained : float
        Share of the differences between frames, beyond photon noise, that the far field
        of probe · object explains: 1 all of it, 0 as much as the mean frame does.
    error : float
        Standard error of `explained`.
    misfit : float
        Mean of (√measured − √modelled)² in units of the photon noise: 1 where noise
        explains all of it and counts are many.
    noise_misfit : float
        The same for photon noise alone, at the counts of these frames.
    correction : ScanCorrection or None
        What makes object and probe explain the frames far better, if anything does.
    corrected : float or None
        `explained` after the correction.
    """

    frames: int
    explained: float
    error: float
    misfit: float
    noise_misfit: float
    correction: ScanCorrection | None = None
    corrected: float | None = None

    @property
    def warning(self) -> str | None:
        """One sentence if scan and reconstruction do not belong together as they are."""
        if self.correction is not None:
            return (
                f"Object and probe explain {_percent(self.explained)} of the differences between "
                f"{format_count(self.frames, 'frame')}, and {_percent(self.corrected or 0.0)} if "
                f"{self.correction.description} (--correct {self.correction})."
            )
        if self.frames < FEWEST:
            return (
                "Next to no frame lies on the object: positions and object may be in different "
                "units, or belong to different scans."
            )
        if self.explained + _SIGNIFICANT * self.error < LEAST:
            return (
                f"Object and probe explain {_percent(self.explained)} of the differences between "
                f"{format_count(self.frames, 'frame')} (misfit {self.misfit:.3g}, photon noise "
                "alone "
                f"{self.noise_misfit:.3g}), and no other orientation, scale or centre explains "
                "more: they may belong to another scan, or the positions to other frames."
            )
        return None

    def numbers(self) -> dict[str, Any]:
        """Plain JSON values; the correction as the text of `--correct`."""
        return asdict(self) | {"correction": str(self.correction) if self.correction else None}


def check_far_field(
    scan: Scan, reconstruction: Reconstruction, gain: float = 1.0
) -> FarFieldCheck | None:
    """Compare some frames with the far field of probe · object at their positions.

    Where photon noise does not explain the difference, orientations, scales and centres
    that scans are often read with by mistake are tried (`search`).

    Parameters
    ----------
    scan : Scan
        Frames as read.
    reconstruction : Reconstruction
        Object and probe; a probe that came with the scan may be a guess.
    gain : float
        Counts for each photon.

    Returns
    -------
    FarFieldCheck or None
        None where there is nothing to compare: no probe of the frames' shape, fewer than
        `FEWEST` frames on the object, or frames that do not differ beyond their noise.

    Notes
    -----
    Maiden & Rodenburg 2009 (doi:10.1016/j.ultramic.2009.05.012), eq. 2, is the forward
    model; square roots have the same noise at all counts.
    """
    subject = _subject(scan, reconstruction, gain)
    if subject is None:
        return None
    to_explain = subject.measured.mean_excess()
    # Each pixel's squared difference of roots has a standard deviation of √2 / 4.
    noise = np.sqrt(len(to_explain) * subject.measured.good.sum() / 8)
    if to_explain.sum() <= _SIGNIFICANT * noise:
        return None
    now = _explained(subject, ScanCorrection(), to_explain) or _Share.none()
    if now.mean >= EXPLAINED:
        return now.check(now.frames)
    tried = _tried(subject, search_orientations(subject), to_explain)
    if max((share.mean for _, share in tried), default=0.0) < EXPLAINED:
        tried += _tried(subject, search_scales(subject), to_explain)
    if not tried:
        return now.check(now.frames)
    most = max(share.mean for _, share in tried)
    # The simplest of those that explain as much: symmetric probes and objects allow several.
    best, share = min(
        (pair for pair in tried if pair[1].mean >= most - _AS_MUCH), key=lambda p: len(str(p[0]))
    )
    check, better = now.check(now.frames), share.mean - now.mean
    if (
        share.mean >= LEAST
        and 1 - share.mean < FAR_BETTER * (1 - now.mean)
        and better > _SIGNIFICANT * float(np.hypot(share.error, now.error))
    ):
        return replace(check, correction=best, corrected=share.mean)
    return check


@dataclass(frozen=True, kw_only=True)
class _Share:
    frames: int
    mean: float
    error: float
    misfit: float
    noise: float

    @classmethod
    def none(cls) -> _Share:
        """No frame lies on the object."""
        return cls(frames=0, mean=0.0, error=0.0, misfit=0.0, noise=0.0)

    def check(self, frames: int) -> FarFieldCheck:
        return FarFieldCheck(
            frames=frames,
            explained=self.mean,
            error=self.error,
            misfit=self.misfit,
            noise_misfit=self.noise,
        )


def _subject(scan: Scan, reconstruction: Reconstruction, gain: float) -> Subject | None:
    placed, positions = reconstruction.align_to(scan)
    probe = placed.probe
    if probe is None or probe.shape[-2:] != scan.frame_shape or len(scan) < FEWEST:
        return None
    listed = np.arange(len(scan))
    known = placed.indices is not None
    if placed.indices is not None:
        listed = placed.indices[(placed.indices >= 0) & (placed.indices < len(scan))]
    chosen = listed[np.unique(np.linspace(0, len(listed) - 1, FRAMES).astype(np.int64))]
    # Frames at the edge of the object are left out; where none is on it, positions are in doubt.
    inside = np.flatnonzero(_on(placed, positions, probe, listed))
    if len(inside) >= FEWEST:
        rows = inside[np.unique(np.linspace(0, len(inside) - 1, FRAMES).astype(np.int64))]
        chosen = listed[rows]
    elif known:
        return None
    good = np.ones(scan.frame_shape, bool) if scan.valid is None else scan.valid
    measured = Measured.from_counts(scan.read(chosen), good, gain)
    lit = measured.roots.any(axis=(-2, -1))
    if lit.sum() < FEWEST:
        return None
    return Subject(
        measured=Measured(roots=measured.roots[lit], good=good),
        positions=positions[chosen[lit]],
        every_position=positions,
        reconstruction=placed,
        probe=probe,
        positions_are_known=known,
    )


def _on(
    placed: Reconstruction,
    positions: NDArray[np.float64],
    probe: NDArray[np.complex64],
    listed: NDArray[np.int64],
) -> NDArray[np.bool_]:
    from napari_ptychonn.data.patches import on_object

    return on_object(placed, positions[listed], probe.shape[-2:])


def _explained(
    subject: Subject, correction: ScanCorrection, to_explain: NDArray[np.float64]
) -> _Share | None:
    """Share of the excess that is explained after a correction; None off the object."""
    covered = subject.covered(correction)
    if covered.sum() < FEWEST or (total := to_explain[covered].sum()) <= 0:
        return None
    good = correction.apply_to_image(subject.measured.good)
    measured = Measured(roots=correction.apply_to_image(subject.measured.roots[covered]), good=good)
    where = subject.corrected_positions(correction)[covered]
    square, noise = measured.compare(modelled_frames(subject.reconstruction, subject.probe, where))
    left = square - noise
    mean, m = 1 - left.sum() / total, len(left)
    # Standard error of a ratio of sums by the jackknife over the frames.
    others = np.maximum(total - to_explain[covered], 1e-12)
    each = 1 - (left.sum() - left) / others
    pixels = max(int(good.sum()) * m, 1)
    return _Share(
        frames=m,
        mean=float(mean),
        error=float(np.sqrt((m - 1) / m * ((each - mean) ** 2).sum())),
        misfit=4 * float(square.sum()) / pixels,
        noise=4 * float(noise.sum()) / pixels,
    )


def _tried(
    subject: Subject, found: list[Candidate], to_explain: NDArray[np.float64]
) -> list[tuple[ScanCorrection, _Share]]:
    """Compare the most promising corrections in full."""
    found = sorted(found, key=lambda candidate: -candidate.correlation)[:_MOST_TRIED]
    corrections = {each.correction: None for each in found}
    # Zero frequency elsewhere is reported only if it must be.
    corrections |= {replace(each, shift=(0, 0)): None for each in corrections}
    shares = [(each, _explained(subject, each, to_explain)) for each in corrections if each]
    return [(each, share) for each, share in shares if share is not None]


def _percent(share: float) -> str:
    return f"{100 * max(share, 0.0):.0f} %"
