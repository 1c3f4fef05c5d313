"""What a file contains, for a person or a script to inspect before anything is done with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from napari_ptychonn.consistency.consistency import Consistency
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.io.containers.model_header import ModelHeader
from napari_ptychonn.io.readers.reconstructions import choose

Kind = Literal["scan", "reconstruction", "result", "model"]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a file was recognised as; None where a line does not apply or is not known.

    Attributes
    ----------
    path : str
        As given.
    kind : {'scan', 'reconstruction', 'result', 'model'}
        What it is first of all; a scan may come with reconstructions.
    layout : str
        Name of the layout that it was read by.
    name : str
        What it is called on screen.
    frames : int or None
        Number of scan points.
    frame_shape : tuple of int or None
        Detector pixels (y, x).
    dtype : str or None
        Type of the counts as they are read.
    positions : int or None
        Number of positions.
    unit : str or None
        'm' or 'pixel': unit of positions, pixel size, step, extent.
    step : float or None
        Median distance of neighbouring points, in `unit`.
    extent : tuple of float or None
        Height and width that the positions span, in `unit`.
    lines : int or None
        Number of scan lines, where there are lines.
    pixel_size : tuple of float or None
        Object pixel (y, x), in `unit`.
    energy_kev, distance_m : float or None
        Photon energy, keV, and detector distance, m.
    electron_kev : float or None
        Energy of electrons of that wavelength, where it can only be theirs.
    detector_pitch_m : tuple of float or None
        Detector pixel (y, x), m.
    masked_pixels : int or None
        Detector pixels that are not used.
    probe : tuple of int or None
        (modes, y, x) of the probe.
    reconstructions : tuple of str
        Names that may follow '::'.
    default_reconstruction : str or None
        The one that is used when none is named.
    object_shape : tuple of int or None
        Pixels (y, x) of that one, or of the mosaic of a result.
    predictions : int or None
        Single-shot predictions in a result.
    patch_shape : tuple of int or None
        Pixels (y, x) of one prediction.
    held_out : int or None
        Predictions on frames that the model was not trained on.
    parameters : int or None
        Trainable numbers of a model.
    metadata : dict
        What a model or a result says about itself.
    companions : tuple of str
        Files beside a scan that may go with it; none of them is used by itself.
    consistency : dict or None
        How a scan and its default reconstruction agree (`Consistency.numbers`).
    warnings : tuple of str
        What is doubtful about a scan, and its faulty pixels.
    notes : tuple of str
        How the file was understood: guesses, masks, what was left out.
    """

    path: str
    kind: Kind
    layout: str
    name: str = ""
    frames: int | None = None
    frame_shape: tuple[int, ...] | None = None
    dtype: str | None = None
    positions: int | None = None
    unit: str | None = None
    step: float | None = None
    extent: tuple[float, float] | None = None
    lines: int | None = None
    pixel_size: tuple[float, float] | None = None
    energy_kev: float | None = None
    electron_kev: float | None = None
    distance_m: float | None = None
    detector_pitch_m: tuple[float, float] | None = None
    masked_pixels: int | None = None
    probe: tuple[int, ...] | None = None
    reconstructions: tuple[str, ...] = ()
    default_reconstruction: str | None = None
    object_shape: tuple[int, ...] | None = None
    predictions: int | None = None
    patch_shape: tuple[int, ...] | None = None
    held_out: int | None = None
    parameters: int | None = None
    metadata: dict[str, Any] | None = None
    companions: tuple[str, ...] = ()
    consistency: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values under the names of the attributes, which are stable."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def describe_scan(
    path: str, scan: Scan, layout: str, names: tuple[str, ...], companions: tuple[str, ...]
) -> Description:
    """Describe a scan; `names` are its reconstructions, `companions` files beside it."""
    return Description(
        path=path,
        kind="scan",
        layout=layout,
        **_of_scan(scan),
        **_default(names),
        companions=companions,
        warnings=scan.warnings,
        notes=(*scan.notes, *_choice(names)),
    )


def with_consistency(description: Description, consistency: Consistency) -> Description:
    """Add how the scan and its reconstruction agree, and what contradicts."""
    return replace(
        description,
        consistency=consistency.numbers(),
        warnings=(*description.warnings, *consistency.warnings),
    )


def _of_scan(scan: Scan) -> dict[str, Any]:
    extent = np.ptp(scan.positions, axis=0)
    return {
        "name": scan.name,
        "frames": len(scan),
        "frame_shape": scan.frame_shape,
        "dtype": str(scan.frames.dtype),
        "positions": len(scan.positions),
        "unit": scan.unit,
        "step": scan.step,
        "extent": (float(extent[0]), float(extent[1])),
        "lines": None if scan.line is None else len(np.unique(scan.line)),
        "pixel_size": scan.pixel_size,
        "energy_kev": scan.optics.energy_kev if scan.optics.electron_kev is None else None,
        "electron_kev": scan.optics.electron_kev,
        "distance_m": scan.optics.detector_distance,
        "detector_pitch_m": scan.optics.detector_pitch,
        "masked_pixels": 0 if scan.valid is None else int((~scan.valid).sum()),
        "probe": None if scan.probe is None else tuple(scan.probe.shape),
    }


def _default(names: tuple[str, ...]) -> dict[str, Any]:
    chosen = choose(list(names))[0] if names else None
    return {"reconstructions": names, "default_reconstruction": chosen}


def _choice(names: tuple[str, ...]) -> tuple[str, ...]:
    why = choose(list(names))[1] if names else None
    return () if why is None else (why,)


def describe_reconstruction(
    path: str, found: Reconstruction, names: tuple[str, ...], notes: tuple[str, ...]
) -> Description:
    """Describe a reconstruction; `names` are all that the file holds."""
    extent = None
    if found.positions is not None and len(found.positions):
        height, width = np.ptp(found.positions, axis=0)
        extent = (float(height), float(width))
    return Description(
        path=path,
        kind="reconstruction",
        layout="reconstruction",
        name=found.name,
        positions=None if found.positions is None else len(found.positions),
        unit=found.unit,
        extent=extent,
        pixel_size=found.pixel_size,
        probe=None if found.probe is None else tuple(found.probe.shape),
        object_shape=tuple(found.object.shape),
        **_default(names),
        notes=(*notes, *_choice(names)),
    )


def describe_result(path: str, result: Result) -> Description:
    """Describe a result of this program."""
    return Description(
        path=path,
        kind="result",
        layout="PtychoNN result",
        name=result.name,
        positions=len(result.positions),
        unit=result.unit,
        pixel_size=result.mosaic.pixel_size,
        energy_kev=result.optics.energy_kev,
        distance_m=result.optics.detector_distance,
        detector_pitch_m=result.optics.detector_pitch,
        probe=None if result.probe is None else tuple(result.probe.shape),
        reconstructions=("/",),
        default_reconstruction="/",
        object_shape=tuple(result.mosaic.amplitude.shape),
        predictions=len(result.predictions),
        patch_shape=result.predictions.shape,
        held_out=None if result.held_out is None else len(result.held_out),
        metadata=result.provenance,
    )


def describe_model(path: str, name: str, header: ModelHeader) -> Description:
    """Describe a model, or another safetensors file."""
    return Description(
        path=path,
        kind="model",
        layout="PtychoNN model" if header.metadata else "safetensors",
        name=name,
        parameters=header.parameters,
        metadata=header.metadata,
    )
