"""Open a file once: scan, reconstructions, result and model come from one recognition of it."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Self

from napari_ptychonn.consistency.consistency import check_consistency
from napari_ptychonn.consistency.correction import ScanCorrection
from napari_ptychonn.data.crop_bin import crop_and_bin
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.containers.model_header import ModelHeader, read_model_header
from napari_ptychonn.io.containers.signature import container_of
from napari_ptychonn.io.containers.tree import Tree
from napari_ptychonn.io.description import (
    Description,
    Kind,
    describe_model,
    describe_reconstruction,
    describe_result,
    describe_scan,
    with_consistency,
)
from napari_ptychonn.io.layouts.layout import Layout
from napari_ptychonn.io.layouts.user import layouts_folder
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.positions.matching import FrameMatching
from napari_ptychonn.io.readers.build_scan import build_scan
from napari_ptychonn.io.readers.reconstructions import (
    ROOT,
    build_reconstruction,
    choose,
    find_objects,
    has_own_numbering,
    list_reconstructions,
    neighbouring_product,
    resolve_object,
)
from napari_ptychonn.io.readers.results import build_result, is_result
from napari_ptychonn.io.readers.sources import Sources, sources_of_tree
from napari_ptychonn.io.sandbox.opening import open_tree
from napari_ptychonn.io.sidecars import find_sidecars

logger = logging.getLogger(__name__)


class OpenedFile:
    """A file that is opened and recognised once, whatever is read from it.

    Everything is found on first use and kept; `close` (or leaving the `with` block)
    closes the file and its neighbours.  Frames of a scan reopen the file themselves,
    so that a `Scan` outlives the `OpenedFile`.

    Parameters
    ----------
    path : str or Path
        A file, or 'FILE::/group'.
    layout : Layout, optional
        How the file is laid out, instead of what it would be recognised as.
    positions : str or Path, optional
        A file (or 'FILE::DATASET') whose positions replace the scan's own.
    """

    def __init__(
        self,
        path: str | Path,
        layout: Layout | None = None,
        positions: str | Path | None = None,
    ) -> None:
        self.path = str(path)
        self.location = Location.parse(path)
        self.layout = layout
        self.positions = None if positions is None else Location.parse(positions)
        self._stack = ExitStack()
        self._scan: Scan | None = None
        self._no_scan: InputError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, and the neighbours that were opened with it."""
        self._stack.close()

    def corrected_layout(self, correction: ScanCorrection) -> Layout:
        """Return the layout of the scan, with a correction of all that are read with it.

        Raises
        ------
        InputError
            When there is no scan, or when the layout has a correction already.
        """
        self.scan()
        layout = self._sources.frames.layout
        if layout.correction:
            raise InputError(
                f"{self.path}: the layout {layout.name} corrects by {layout.correction} already; "
                f"edit it in {layouts_folder()}.",
                expected="",
                got=layout.correction,
            )
        return replace(layout, name=f"{layout.name}, corrected", correction=str(correction))

    @cached_property
    def kind(self) -> Kind:
        """What the file is first of all; a scan may come with reconstructions.

        Raises
        ------
        InputError
            When it is none of them, or positions were given for a file without frames.
        """
        if container_of(self.location.must_exist()) == "safetensors":
            self._must_have_frames()
            return "model"
        if is_result(self.tree):
            self._must_have_frames()
            return "result"
        names = self.reconstruction_names
        try:
            self.scan()
        except InputError:
            if not names or self.positions is not None:
                raise
            return "reconstruction"
        return "scan"

    @cached_property
    def tree(self) -> Tree:
        """The open file."""
        return self._stack.enter_context(open_tree(self.location))

    @cached_property
    def reconstruction_names(self) -> tuple[str, ...]:
        """Names of the reconstructions in the file, sorted; '/' is the file as a whole."""
        return tuple(sorted(self._objects))

    def scan(self) -> Scan:
        """Read frames and positions; the frames stay in the file.

        Raises
        ------
        InputError
            When there are no frames, or no positions for them.
        """
        if self._scan is None:
            if self._no_scan is not None:
                raise self._no_scan
            try:
                self._scan = build_scan(self._sources)
            except InputError as error:
                self._no_scan = error
                raise
        return self._scan

    def reconstruction(self, name: str | None = None) -> Reconstruction:
        """Read a reconstructed object, its probe and its positions.

        Parameters
        ----------
        name : str, optional
            One of `reconstruction_names`; without it the object that `layout` names,
            else the one called 'epie', else the first, which is logged.

        Raises
        ------
        InputError
            When there is none of that name, or it cannot be placed.
        """
        names = self._objects
        if name is not None and name not in names:
            listed = ", ".join(self.reconstruction_names) or "none"
            raise InputError(f"{self.tree.file}: no reconstruction {name}; the file has: {listed}.")
        if not names:
            return self._reconstruction_of_neighbour()
        if name is None:
            name = self._default_name()
        contents = resolve_object(self.tree, names[name], self.layout)
        return build_reconstruction(contents, name, self._matching)

    def result(self) -> Result:
        """Read predictions and their mosaic; InputError when the file is no result."""
        return build_result(self.tree)

    def model_header(self) -> ModelHeader:
        """Read the metadata of a model file, without its weights."""
        return read_model_header(self.location.must_exist())

    def description(
        self, *, sidecars: bool = False, correction: ScanCorrection | None = None
    ) -> Description:
        """Describe the file without reading more of it than needed.

        Parameters
        ----------
        sidecars : bool
            Also list the files in its folder that belong to a scan.
        correction : ScanCorrection, optional
            Applied to a scan.
        """
        if self.kind == "model":
            return describe_model(self.path, self.location.file.stem, self.model_header())
        if self.kind == "result":
            return describe_result(self.path, self.result())
        names = self.reconstruction_names
        if self.kind == "reconstruction":
            found = self.reconstruction()
            return describe_reconstruction(self.path, found, names, (str(self._no_scan),))
        scan, product = self.scan(), self._sources.positions_source
        if not names and product is not None and product.has("object"):
            names = list_reconstructions(product.tree.file)
        companions = tuple(o.sentence for o in find_sidecars(scan)) if sidecars else ()
        if correction is not None:
            scan = correction.apply(scan)
        description = describe_scan(
            self.path, scan, self._sources.frames.layout.name, names, companions
        )
        try:
            made = self.reconstruction() if self.reconstruction_names else None
            checks = None if made is None else check_consistency(scan, made)
        except InputError as error:
            logger.info("%s: not checked: %s", self.path, error)
            return description
        return description if checks is None else with_consistency(description, checks)

    @cached_property
    def _sources(self) -> Sources:
        group = self.location.group
        return self._stack.enter_context(
            sources_of_tree(self.tree, group, self.layout, self.positions)
        )

    @cached_property
    def _objects(self) -> dict[str, tuple[str, str]]:
        return find_objects(self.tree, self.location.group, self.layout)

    @cached_property
    def _matching(self) -> FrameMatching | None:
        """How the scan in the file numbers its points; None where there is none."""
        if has_own_numbering(self.tree):
            return None
        try:
            if not self.location.group:
                return None if self._sources_failed else self._sources.matching
            # Frame numbers are those of the file's scan, not those of the group.
            with sources_of_tree(self.tree, "", self.layout, self.positions) as sources:
                return sources.matching
        except InputError:
            return None

    @property
    def _sources_failed(self) -> bool:
        """Whether a search for the scan failed, so that it need not be repeated."""
        return self._no_scan is not None and "_sources" not in self.__dict__

    def _default_name(self) -> str:
        names = self.reconstruction_names
        if self.layout is not None and self.layout.has_object and not self.location.group:
            names = (ROOT,) if ROOT in names else names
        chosen, why = choose(list(names))
        if why:
            logger.info("%s: %s", self.tree.file, why)
        return chosen

    def _reconstruction_of_neighbour(self) -> Reconstruction:
        """Read the product beside a file of diffraction frames."""
        product = neighbouring_product(self.tree)
        with product.tree:
            logger.info("%s: uses the reconstruction in %s.", self.tree.file, product.tree.file)
            if self.layout is None and self.positions is None:
                return build_reconstruction(product, ROOT, self._matching)
            # The product numbers frames as the file does by itself.
            with OpenedFile(self.location.file) as unchanged:
                return build_reconstruction(product, ROOT, unchanged._matching)

    def _must_have_frames(self) -> None:
        if self.positions is not None:
            raise InputError(
                f"{self.location.file}: holds no frames that {self.positions.file.name} could "
                "place."
            )


def open_file(
    path: str | Path, layout: Layout | None = None, positions: str | Path | None = None
) -> OpenedFile:
    """Open a scan, a reconstruction, a result or a model; use it in a `with` block.

    Nothing is read before it is needed; see `OpenedFile` for the parameters.
    """
    return OpenedFile(path, layout, positions)


def describe(
    path: str | Path,
    *,
    beside: bool = False,
    positions: str | Path | None = None,
    correction: ScanCorrection | None = None,
) -> Description:
    """Describe a file without reading more of it than needed.

    Parameters
    ----------
    path : str or Path
        A file or 'FILE::/group'; scans, reconstructions, results and models.
    beside : bool
        Also list the files in its folder that belong to a scan.
    positions : str or Path, optional
        See `read_scan`.
    correction : ScanCorrection, optional
        Applied to a scan.

    Raises
    ------
    InputError
        When it is none of them.
    """
    with open_file(path, positions=positions) as opened:
        return opened.description(sidecars=beside, correction=correction)


def read_scan(
    path: str | Path,
    layout: Layout | None = None,
    *,
    crop: int | None = None,
    bin: int = 1,
    positions: str | Path | None = None,
) -> Scan:
    """Read diffraction frames and scan positions.

    Parameters
    ----------
    path : str or Path
        A file, or 'FILE::/group'.  HDF5, CXI, NPZ, NPY or .npz.bz2 by
        content; half of a pair of files finds the other half beside it.
    layout : Layout, optional
        How the file is laid out, instead of what it would be recognised as.
    crop : int, optional
        Detector pixels along each axis to keep around the zero frequency.
    bin : int
        Detector pixels along each axis to sum.
    positions : str or Path, optional
        A table (text, .mda), or an HDF5, NumPy or MATLAB file with positions to use
        instead of the scan's own; 'FILE::DATASET' names one in it.

    Returns
    -------
    Scan
        Its frames stay in the file until they are needed; `notes` list what was
        guessed, masked or left out.

    Raises
    ------
    InputError
        When there are no frames or no positions for them.
    """
    with open_file(path, layout, positions) as opened:
        return crop_and_bin(opened.scan(), crop, bin)


def read_reconstruction(
    path: str | Path, layout: Layout | None = None, *, positions: str | Path | None = None
) -> Reconstruction:
    """Read a reconstructed object, its probe and its positions.

    Parameters
    ----------
    path : str or Path
        A file, or 'FILE::/group'.  Of several, the one called 'epie', else
        the first by name; which one is logged.
    layout : Layout, optional
        How the file is laid out, instead of what it would be recognised as;
        the object that it names is used unless a group is named.
    positions : str or Path, optional
        The file (or 'FILE::DATASET') that the scan in the same file was read with,
        where that was chosen.

    Returns
    -------
    Reconstruction
        `indices` are scan points of the scan that `read_scan` makes of the
        same file, where it makes one.

    Raises
    ------
    InputError
        When there is none, or it cannot be placed.
    """
    with open_file(path, layout, positions) as opened:
        return opened.reconstruction()


def read_reconstruction_for(
    scan: str | Path, path: str | Path, *, positions: str | Path | None = None
) -> Reconstruction:
    """Read a reconstruction of a scan, whose own positions may have been replaced.

    Parameters
    ----------
    scan : str or Path
        What the scan was read from.
    path : str or Path
        See `read_reconstruction`.
    positions : str or Path, optional
        Used only if `path` lies in the file of the scan: another file numbers its
        frames by itself.
    """
    is_within = Location.parse(path).is_in_file_of(Location.parse(scan))
    return read_reconstruction(path, positions=positions if is_within else None)
