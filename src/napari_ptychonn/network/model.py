"""Trained network with everything needed to use it, in one safetensors file."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_ptychonn.atomic_file import replacing
from napari_ptychonn.compute.device import choose_device
from napari_ptychonn.data.patches import Predictions
from napari_ptychonn.data.scan import Scan, Unit
from napari_ptychonn.deprecation import RenamedAttribute
from napari_ptychonn.errors import InputError
from napari_ptychonn.network.compatibility import convert_pixel_size
from napari_ptychonn.network.inference.precision import (
    Precision,
    compare_precisions,
    fastest_accurate,
    native_precisions,
)
from napari_ptychonn.network.inference.predictor import BATCH_ON_CPU, BATCH_ON_GPU, Predictor
from napari_ptychonn.network.options import NetworkOptions
from napari_ptychonn.network.preprocessing import Preprocessing
from napari_ptychonn.network.ptychonn import PtychoNN, architecture
from napari_ptychonn.optics.far_field import FarField

logger = logging.getLogger(__name__)

FORMAT = "napari-ptychonn model 1"

_PARTS = ("train", "validation", "gap")
"""Frames that a stage of the training used, in the provenance."""

TRIED_FROM = 1024
"""Least number of frames for which the precisions are compared first."""

SAMPLE, SAMPLE_ON_GPU = 64, 512
"""Frames that precisions are compared on; a GPU needs many to show a difference."""

_DAMAGE = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError,
           ValueError)  # fmt: skip
"""Errors that wrong values in a file raise in Python and in torch."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel:
    """Weights, their preprocessing and their origin.

    Attributes
    ----------
    options : NetworkOptions
        Shape of the network.
    preprocessing : Preprocessing
        From counts to network input.
    state : Mapping of str to Tensor
        Weights, float32 on the CPU.
    pixel_size : tuple of float
        Pixel of the predicted patches (y, x), in `unit`.
    unit : {'m', 'pixel'}
        Of `pixel_size`.
    weight : ndarray of float32
        (size, size) weight of a patch's pixels in a mosaic.
    probe : ndarray of complex64 or None
        (modes, py, px) of the training reconstruction.
    mean_frame : ndarray of float32 or None
        (ky, kx) mean counts of the training frames; None in older models.
    residual_limit : float or None
        Diffraction residual above which a prediction disagrees with its own
        frame, from the validation frames; None without a probe.
    optimiser : Mapping of str to Tensor
        Adam's moments, to continue the training; may be empty.
    history : tuple of dict
        One entry an epoch: number, step, train_loss, validation_loss,
        amplitude_loss, phase_loss, learning_rate, seconds.
    provenance : dict
        Plain JSON values: scan, scan_key, reconstruction, region, train,
        validation, gap, phase_offset, training options, versions; and `earlier`, the
        `stages` of the model that was trained further.
    """

    options: NetworkOptions
    preprocessing: Preprocessing
    state: Mapping[str, Tensor] = field(repr=False)
    pixel_size: tuple[float, float]
    unit: Unit
    weight: NDArray[np.float32] = field(repr=False)
    probe: NDArray[np.complex64] | None = field(default=None, repr=False)
    mean_frame: NDArray[np.float32] | None = field(default=None, repr=False)
    residual_limit: float | None = None
    optimiser: Mapping[str, Tensor] = field(default_factory=dict, repr=False)
    history: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    provenance: dict[str, Any] = field(default_factory=dict, repr=False)

    preparation = RenamedAttribute("preprocessing")

    @property
    def patch_shape(self) -> tuple[int, int]:
        """Pixels of a predicted patch (py, px)."""
        return self.options.size, self.options.size

    def held_out(self, scan: Scan) -> NDArray[np.int64] | None:
        """Points (m,) of a scan that no stage of the training used; None for another scan."""
        # The same frames with other positions were trained on, too.
        stages = [
            stage
            for stage in self.stages
            if stage.get("scan_key") == scan.fingerprint
            or stage.get("frames_key") == scan.frames_fingerprint
        ]
        if not stages:
            return None
        used = [stage.get(part, []) for stage in stages for part in _PARTS]
        return np.setdiff1d(np.arange(len(scan)), np.concatenate(used).astype(np.int64))

    @property
    def stages(self) -> list[dict[str, Any]]:
        """Which frames of which scan each stage of the training used, the last stage first."""
        known = ("scan_key", "frames_key", *_PARTS)
        last = {key: self.provenance[key] for key in known if key in self.provenance}
        return [last, *self.provenance.get("earlier", [])]

    def pixel_size_in(self, scan: Scan) -> tuple[float, float]:
        """Pixel of the predicted patches (y, x) in the unit of a scan.

        Raises
        ------
        InputError
            When the model is in pixels, and the scan in metres without a pixel size; when
            the object pixel of the scan is another than in training by more than a factor
            of two.
        """
        if self.unit == scan.unit:
            return convert_pixel_size(self, scan) or self.pixel_size
        if scan.pixel_size is None:
            raise InputError(
                f"the model was trained in pixels and {scan.name} is in metres with an unknown "
                "pixel size; give the energy, detector distance and pixel pitch."
            )
        return scan.pixel_size

    def predict(
        self,
        scan: Scan,
        indices: NDArray[np.integer[Any]] | None = None,
        *,
        device: str = "auto",
        batch_size: int | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Iterator[Predictions]:
        """Predict patches from single frames, in batches.

        Parameters
        ----------
        scan : Scan
            Frames of the shape that the model was trained on.
        indices : ndarray of int, optional
            (m,) scan points; all by default.
        device : str
            See `choose_device`.
        batch_size : int, optional
            Frames at once; by default 32 on a CPU and 2,048 on a GPU.  Halved
            as often as the device runs out of memory.
        should_stop : callable, optional
            Called before each batch; True ends the iteration.

        Yields
        ------
        Predictions
            In the order of `indices`.
        """
        points = np.asarray(np.arange(len(scan)) if indices is None else indices, np.int64)
        predictor = self.predictor(choose_device(device).name, scan, points)
        if batch_size is None:
            batch_size = BATCH_ON_CPU if predictor.device == "cpu" else BATCH_ON_GPU
        yield from predictor.predict_scan(scan, self.preprocessing, points, batch_size, should_stop)

    def predictor(self, device: str, scan: Scan, indices: NDArray[np.int64]) -> Predictor:
        """Prepare the network for predictions on a device; it is kept for the next call.

        With `TRIED_FROM` frames or more, on a device with faster precisions than float32,
        a few of them are predicted in each precision, and the fastest one with a small
        error is used from then on.

        Parameters
        ----------
        device : str
            Torch device.
        scan : Scan
            With frames of the shape that the model was trained on.
        indices : ndarray of int64
            (m,) scan points to predict.
        """
        many = len(indices) >= TRIED_FROM and len(native_precisions(device)) > 1
        pixels = _mask_key(scan.valid)
        for tried in (True,) if many else (True, False):
            if (kept := self._predictors.get((device, tried, pixels))) is not None:
                return kept
        precision: Precision = "float32"
        if many:
            sample = SAMPLE if device == "cpu" else SAMPLE_ON_GPU
            chosen = indices[np.linspace(0, len(indices) - 1, sample).astype(int)]
            frames = self.preprocessing.read(scan, chosen).to(device)
            trials = compare_precisions(
                lambda p: Predictor(self._network_for(scan), device, p), device, frames
            )
            precision = fastest_accurate(trials).precision
            errors = ", ".join(f"{t.precision}: {t.error:.1e}" for t in trials)
            logger.info("predicting in %s; errors relative to float32: %s", precision, errors)
        made = Predictor(self._network_for(scan), device, precision)
        self._predictors[device, many, pixels] = made
        return made

    @cached_property
    def _predictors(self) -> dict[tuple[str, bool, int], Predictor]:
        return {}

    def _network_for(self, scan: Scan) -> PtychoNN:
        """Build the network for a scan with its own bad pixels."""
        network = self.network()
        fits = scan.frame_shape == self.preprocessing.frame_shape
        if fits and scan.valid is not None and network.far_field is not None:
            network.far_field.mask_pixels(~scan.valid)
        return network

    def network(self) -> PtychoNN:
        """Build the network with these weights on the CPU, in evaluation mode."""
        network = self._blank()
        network.load_state_dict(dict(self.state))
        return network.eval()

    def save(self, path: str | Path) -> None:
        """Write one safetensors file; an old file of that name is replaced only by a complete one.

        Raises
        ------
        InputError
            When it cannot be written (no such folder, no permission, disk full).
        """
        path = Path(path)
        with replacing(path) as temporary:
            try:
                save_file(self._tensors(), temporary, {"format": FORMAT, "model": self._header()})
            except SafetensorError as error:
                raise OSError(str(error)) from error

    @classmethod
    def load(cls, path: str | Path) -> TrainedModel:
        """Read a model written by `save`; no code in the file is run.

        Raises
        ------
        InputError
            When the file is missing, damaged or not a model of this package.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path}: there is no such model file.", file=path)
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, RuntimeError) as error:
            raise InputError(f"{path}: not a readable model file ({error}).", file=path) from error
        if metadata.get("format") != FORMAT:
            raise InputError(
                f"{path}: expected a file of format '{FORMAT}', "
                f"got '{metadata.get('format', 'none')}'.",
                file=path,
                expected=FORMAT,
                got=metadata.get("format"),
            )
        header: Any = None
        try:
            header = json.loads(metadata["model"])
            return cls._restored(header, tensors)
        except _DAMAGE as error:
            if other := _other_network(header):
                raise InputError(f"{path}: {other}", file=path) from error
            if isinstance(error, InputError):  # an option, which names itself
                raise InputError(
                    f"{path}: {error}", file=path, expected=error.expected, got=error.got
                ) from error
            why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            raise InputError(
                f"{path}: the model in this file is damaged ({why}).", file=path
            ) from error

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"network.{name}": value.contiguous() for name, value in self.state.items()}
        tensors |= {
            f"optimiser.{name}": value.contiguous() for name, value in self.optimiser.items()
        }
        arrays: dict[str, NDArray[Any] | None] = {
            "weight": self.weight,
            "valid": self.preprocessing.valid,
            "probe": None if self.probe is None else np.stack([self.probe.real, self.probe.imag]),
            "mean_frame": self.mean_frame,
        }
        tensors |= {k: torch.from_numpy(v.copy()) for k, v in arrays.items() if v is not None}
        return tensors

    def _header(self) -> str:
        preprocessing = asdict(self.preprocessing)
        del preprocessing["valid"]
        return json.dumps(
            {
                "architecture": architecture(self.options),
                "network": asdict(self.options),
                "preparation": preprocessing,
                "pixel_size": self.pixel_size,
                "unit": self.unit,
                "residual_limit": self.residual_limit,
                "history": self.history,
                "provenance": self.provenance,
            }
        )

    @classmethod
    def _restored(cls, header: dict[str, Any], tensors: dict[str, Tensor]) -> TrainedModel:
        valid, probe, mean = (tensors.get(name) for name in ("valid", "probe", "mean_frame"))
        prepared: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in header["preparation"].items()
        }
        y, x = header["pixel_size"]
        options = NetworkOptions(**header["network"])
        if header.get("architecture", architecture(options)) != architecture(options):
            raise ValueError("another network")
        model = cls(
            options=options,
            preprocessing=Preprocessing(**prepared, valid=None if valid is None else valid.numpy()),
            state=_part(tensors, "network."),
            optimiser=_part(tensors, "optimiser."),
            pixel_size=(float(y), float(x)),
            unit=header["unit"],
            residual_limit=header.get("residual_limit"),
            weight=tensors["weight"].numpy(),
            probe=None if probe is None else torch.complex(probe[0], probe[1]).numpy(),
            mean_frame=None if mean is None else mean.numpy(),
            history=tuple(header["history"]),
            provenance=header["provenance"],
        )
        model._check_size()
        model.network()  # wrong shapes and names fail here, not in the middle of a job
        return model

    def _check_size(self) -> None:
        """Refuse a network that is larger than its weights, before allocating it."""
        stored = sum(value.numel() for value in self.state.values())
        with torch.device("meta"):
            needed = sum(value.numel() for value in self._blank().state_dict().values())
        if stored != needed:
            raise ValueError(f"{stored} weights for a network of {needed}")
        if self.weight.shape != self.patch_shape or self.unit not in get_args(Unit):
            raise ValueError(f"weights {self.weight.shape} of patches {self.patch_shape}, unit")
        if not all(0 < size < np.inf for size in self.pixel_size):
            raise ValueError(f"pixel size {self.pixel_size}")

    def _blank(self) -> PtychoNN:
        probe = self.state.get("far_field.probe_real")
        return PtychoNN(self.options, None if probe is None else FarField.blank(probe.shape))


def _mask_key(mask: NDArray[np.bool_] | None) -> int:
    """Hash of a mask."""
    return 0 if mask is None else hash(mask.tobytes())


def _other_network(header: Any) -> str:
    """Sentence that the network is of another version; empty if it is not."""
    network = header.get("network") if isinstance(header, dict) else None
    if not isinstance(network, dict):
        return ""
    number = header.get("architecture")
    uses_probe = network.get("scaling") == "amplitude"
    if number is None:
        # Models without a number: the published networks have not changed since.
        return (
            "the model was saved before networks were numbered, and its network is not that of "
            "this version; train it again, or open it with the version that made it."
            if uses_probe
            else ""
        )
    known = architecture(NetworkOptions() if uses_probe else NetworkOptions.preset("paper"))
    if not isinstance(number, int) or number == known:
        return ""
    return (
        f"the model's network is number {number} and this version of napari-ptychonn builds number "
        f"{known}; " + ("update napari-ptychonn." if number > known else "train it again.")
    )


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
