"""All checks of a scan with a reconstruction, and what they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari_ptychonn.consistency.check import FarFieldCheck, check_far_field
from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.consistency.positions import PositionsCheck, check_positions
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.scan import Scan


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """Whether a scan and a reconstruction belong together as they were read.

    Attributes
    ----------
    far_field : FarFieldCheck or None
        Frames against the far field of probe · object; None where that cannot be judged.
    positions : PositionsCheck or None
        Positions against those of the reconstruction; None where it has none.
    """

    far_field: FarFieldCheck | None = None
    positions: PositionsCheck | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each contradiction."""
        checks = (self.positions, self.far_field)
        return tuple(w for check in checks if check is not None and (w := check.warning))

    @property
    def correction(self) -> ScanCorrection | None:
        """What makes scan and reconstruction agree, if anything that was tried does."""
        return next(
            (
                check.correction
                for check in (self.positions, self.far_field)
                if check is not None and check.correction is not None
            ),
            None,
        )

    def numbers(self) -> dict[str, Any]:
        """Plain JSON values; corrections as the text of `--correct`."""
        checks = {"far_field": self.far_field, "positions": self.positions}
        return {k: None if check is None else check.numbers() for k, check in checks.items()}


def check_consistency(scan: Scan, reconstruction: Reconstruction) -> Consistency:
    """Check a scan with a reconstruction of it; reads at most 32 frames.

    Raises
    ------
    InputError
        When the reconstruction cannot be aligned to the scan.
    """
    positions = check_positions(scan, reconstruction)
    return Consistency(far_field=check_far_field(scan, reconstruction), positions=positions)
