"""Open files: scans, reconstructions, results and models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from napari_ptychonn.errors import InputError
from napari_ptychonn.tasks.events import (
    Activity,
    Loaded,
    NotRecognised,
    ReconstructionLoaded,
    ShouldStop,
    SidecarsFound,
    never,
)

if TYPE_CHECKING:
    from napari_ptychonn.consistency.correction import ScanCorrection
    from napari_ptychonn.data.scan import Scan
    from napari_ptychonn.io import OpenedFile
    from napari_ptychonn.io.layouts.layout import Layout


@dataclass(frozen=True, kw_only=True)
class LoadTask:
    """Open a file of any kind that this plugin reads.

    Attributes
    ----------
    path : str
        FILE, or FILE::/group.
    layout : Layout or None
        How a scan is laid out, where that was chosen by hand.
    positions : str or None
        A file (or 'FILE::DATASET') whose positions replace the scan's own.
    save_layout : bool
        Save `layout` for files like this one, once it has been read with it.
    correction : ScanCorrection or None
        Save the layout of the scan with this correction, then open the file.
    """

    activity: ClassVar[Activity] = "opening"

    path: str
    layout: Layout | None = None
    positions: str | None = None
    save_layout: bool = False
    correction: ScanCorrection | None = None

    def run(self, should_stop: ShouldStop = never) -> Iterator[Loaded | NotRecognised]:
        """Open the file; frames stay in it, so that there is nothing long to interrupt."""
        if self.correction is not None:
            self._save_correction(self.correction)
            yield from replace(self, layout=None, correction=None).run(should_stop)
            return
        if self.layout is not None or self.positions is not None:
            loaded = load_scan_file(self.path, self.layout, self.positions)
            if self.save_layout and self.layout is not None:
                from napari_ptychonn.io.layouts.user import save_layout

                save_layout(self.layout)
            yield loaded
            return
        from napari_ptychonn.io.mapping.inspect import holds_datasets

        try:
            loaded = load_file(self.path)
        except InputError as error:
            if not holds_datasets(self.path):
                raise
            yield NotRecognised(path=Path(self.path), reason=str(error))
            return
        yield loaded
        if (missing := _missing_frames(loaded)) is not None:
            yield missing

    def _save_correction(self, correction: ScanCorrection) -> None:
        from napari_ptychonn.io import open_file
        from napari_ptychonn.io.layouts.user import save_layout

        with open_file(self.path, self.layout, self.positions) as opened:
            save_layout(opened.corrected_layout(correction))


@dataclass(frozen=True, kw_only=True)
class LoadReconstructionTask:
    """Read a reconstruction; `layout` and `positions` are those that the scan was read with."""

    activity: ClassVar[Activity] = "opening"

    path: str
    layout: Layout | None = None
    positions: str | None = None

    def run(self, should_stop: ShouldStop = never) -> Iterator[ReconstructionLoaded]:
        """Read it."""
        from napari_ptychonn.io import read_reconstruction

        del should_stop
        reconstruction = read_reconstruction(self.path, self.layout, positions=self.positions)
        yield ReconstructionLoaded(reconstruction=reconstruction)


@dataclass(frozen=True, kw_only=True, eq=False)
class FindSidecarsTask:
    """Look for files beside a scan that belong to it: reconstruction, positions, model."""

    activity: ClassVar[Activity] = "opening"

    scan: Scan

    def run(self, should_stop: ShouldStop = never) -> Iterator[SidecarsFound]:
        """Search the folder of the scan."""
        from napari_ptychonn.io.sidecars import find_sidecars

        del should_stop
        yield SidecarsFound(suggestions=find_sidecars(self.scan))


@dataclass(frozen=True, kw_only=True)
class SimulateTask:
    """Make the simulated sample scan.

    Attributes
    ----------
    points : tuple of int
        Scan points (ny, nx).
    """

    activity: ClassVar[Activity] = "opening"

    points: tuple[int, int] = (32, 32)

    def __post_init__(self) -> None:
        if min(self.points) < 1:
            raise InputError(
                f"a simulated scan needs at least 1 x 1 points, got {self.points}.",
                expected="at least 1",
                got=self.points,
            )

    def run(self, should_stop: ShouldStop = never) -> Iterator[Loaded]:
        """Simulate; its degraded truth takes the place of an ePIE."""
        del should_stop
        yield simulate_sample(self.points)


def simulate_sample(points: tuple[int, int] = (32, 32)) -> Loaded:
    """The simulated scan with its degraded truth in the place of an ePIE."""
    from napari_ptychonn.simulation.scan import simulate_scan

    scan, reconstruction = simulate_scan(points)
    return Loaded(path=Path(scan.name), scan=scan, reconstruction=reconstruction)


def load_file(path: str | Path) -> Loaded:
    """Open a scan, a reconstruction, a result or a model, whichever the file is.

    Raises
    ------
    InputError
        When it is none of them.
    """
    from napari_ptychonn.io import open_file

    with open_file(path) as opened:
        if opened.kind == "model":
            from napari_ptychonn.network.model import TrainedModel

            return Loaded(path=Path(path), model=TrainedModel.load(path))
        if opened.kind == "result":
            return Loaded(path=Path(path), result=opened.result())
        if opened.kind == "reconstruction":
            return Loaded(
                path=Path(path),
                reconstruction=opened.reconstruction(),
                reconstruction_names=opened.reconstruction_names,
            )
        return _load_scan(opened)


def load_scan_file(
    path: str | Path, layout: Layout | None = None, positions: str | None = None
) -> Loaded:
    """Open a scan and the reconstruction that comes with it.

    Parameters
    ----------
    path, layout, positions
        See `LoadTask`.  With a layout chosen by hand, an object that cannot be
        placed is left out with a note instead of an error.
    """
    from napari_ptychonn.io import open_file

    with open_file(path, layout, positions) as opened:
        return replace(_load_scan(opened), positions_source=positions)


def _load_scan(opened: OpenedFile) -> Loaded:
    scan = opened.scan()
    try:
        names = opened.reconstruction_names
    except InputError:
        names = ()
    reconstruction = None
    try:
        reconstruction = opened.reconstruction() if names else None
    except InputError as error:
        if opened.layout is None:
            raise
        scan = replace(scan, notes=(f"The object is not used: {error}", *scan.notes))
    return Loaded(
        path=Path(opened.path),
        scan=scan,
        reconstruction=reconstruction,
        reconstruction_names=names,
        layout=opened.layout,
    )


def _missing_frames(loaded: Loaded) -> NotRecognised | None:
    """Why the scan of a file is missing where only its reconstruction was opened."""
    from napari_ptychonn.io.mapping.inspect import missing_from_scan

    if loaded.reconstruction is None or loaded.scan is not None:
        return None
    reason = missing_from_scan(loaded.path)
    if reason is None:
        return None
    return NotRecognised(path=loaded.path, reason=reason, has_reconstruction=True)
