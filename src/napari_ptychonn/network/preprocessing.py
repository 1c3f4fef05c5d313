"""Preprocessing of detector counts to network input, stored in the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.device import move_async
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError

if TYPE_CHECKING:
    import torch

Scaling = Literal["raw", "sqrt", "amplitude"]
"""'raw': mean-binned counts, as published; 'sqrt': mean-binned square roots over their
spread; 'amplitude': square roots of counts, whole frames."""

_CONVERTED_ON_DEVICE = ("uint8", "uint16", "int16", "int32", "float32")
"""Types of counts that are converted to float32 on the device: less to transfer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Preprocessing:
    """Crop, bin, mask and scale, the same in training and prediction.

    Attributes
    ----------
    frame_shape : tuple of int
        Detector pixels (ky, kx) it was fitted for.
    window : tuple of int
        Rows and columns kept around the zero frequency: (top, left, height, width).
    bin : int
        Detector pixels averaged along each axis.
    size : int
        Edge of the square network input; smaller binned frames are padded with
        zeros.  Not used by 'amplitude'.
    scaling : {'raw', 'sqrt', 'amplitude'}
        'raw' bins counts, 'sqrt' their square roots; 'amplitude' does not bin.
    scale : float
        Divides the averaged values: their standard deviation over the training
        frames for 'sqrt', else 1.
    valid : ndarray of bool or None
        (height, width), False for masked detector pixels.
    """

    frame_shape: tuple[int, int]
    window: tuple[int, int, int, int]
    bin: int
    size: int = 64
    scaling: Scaling = "sqrt"
    scale: float = 1.0
    valid: NDArray[np.bool_] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        top, left, height, width = self.window
        ky, kx = self.frame_shape
        inside = 0 <= top < top + height <= ky and 0 <= left < left + width <= kx
        fits = self.size > 0 and 0 < self.bin <= min(height, width) and 0 < self.scale < np.inf
        if not (inside and fits) or self.scaling not in get_args(Scaling):
            raise InputError(f"expected a window inside the frame, bins and a scale, got {self}.")
        if self.valid is not None and self.valid.shape != (height, width):
            raise InputError(
                f"expected a mask of {_times((height, width))} pixels, got {self.valid.shape}."
            )

    @classmethod
    def fit(
        cls,
        scan: Scan,
        indices: NDArray[np.int64],
        *,
        size: int = 64,
        scaling: Scaling = "sqrt",
        sample: int = 256,
    ) -> Preprocessing:
        """Choose crop and bin from the frame shape, and the scale from training frames.

        Parameters
        ----------
        scan : Scan
            Diffraction frames.
        indices : ndarray of int64
            Training frames.
        size : int
            Edge of the network input.  Frames are mean-binned by the largest
            integer that leaves at least this, and cropped around the zero
            frequency to a multiple of it.
        scaling : {'raw', 'sqrt', 'amplitude'}
            See the class.
        sample : int
            Number of frames read, at most; evenly chosen.
        """
        whole = scaling == "amplitude"
        factor = 1 if whole else max(1, min(scan.frame_shape) // size)
        height, width = (n if whole else min(n, factor * size) for n in scan.frame_shape)
        top, left = (
            n // 2 - m // 2 for n, m in zip(scan.frame_shape, (height, width), strict=True)
        )
        unscaled = cls(
            frame_shape=scan.frame_shape,
            window=(top, left, height, width),
            bin=factor,
            size=size,
            scaling=scaling,
        ).masked_as(scan)
        if scaling != "sqrt":
            return unscaled
        chosen = indices[np.unique(np.linspace(0, len(indices) - 1, sample).astype(int))]
        values = unscaled.read(scan, chosen)
        spread = float(values.std())
        if spread <= 1e-6 * float(values.mean()):
            raise InputError(f"the training frames of {scan.name} are all the same.")
        return replace(unscaled, scale=spread)

    def masked_as(self, scan: Scan) -> Preprocessing:
        """Take the mask from a scan whose frames have the same shape."""
        if scan.frame_shape != self.frame_shape:
            return self
        top, left, height, width = self.window
        good = scan.valid
        if good is not None:
            good = good[top : top + height, left : left + width].copy()
        return replace(self, valid=None if good is None or good.all() else good)

    def read(self, scan: Scan, indices: NDArray[np.integer[Any]]) -> torch.Tensor:
        """Read and preprocess frames of a scan: (m,) indices → (m, 1, size, size) float32."""
        return self.for_scan(scan)(self.counts(scan, indices).float())

    def counts(self, scan: Scan, indices: NDArray[np.integer[Any]]) -> torch.Tensor:
        """Read frames of a scan cropped to `window`, (m, height, width), in a type of torch."""
        import torch

        if scan.frame_shape != self.frame_shape:
            raise InputError(
                f"the model was trained on frames of {_times(self.frame_shape)} pixels, "
                f"{scan.name} has {_times(scan.frame_shape)}."
            )
        top, left, height, width = self.window
        counts = scan.read(indices, (slice(top, top + height), slice(left, left + width)))
        kept = counts.dtype.name in _CONVERTED_ON_DEVICE and counts.dtype.isnative
        return torch.from_numpy(np.ascontiguousarray(counts, None if kept else np.float32))

    def for_scan(self, scan: Scan) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return `apply` with the mask of one scan."""
        valid = self._valid_in(scan)
        return lambda counts: self.apply(counts, valid)

    def _valid_in(self, scan: Scan) -> NDArray[np.bool_] | None:
        """Combine the mask with that of the scan, which may have bad pixels of its own."""
        if scan.valid is None:
            return self.valid
        top, left, height, width = self.window
        valid = scan.valid[top : top + height, left : left + width]
        return valid if self.valid is None else valid & self.valid

    def apply(self, counts: torch.Tensor, valid: NDArray[np.bool_] | None = None) -> torch.Tensor:
        """Preprocess counts cropped to `window`, on their device.

        Parameters
        ----------
        counts : Tensor
            (m, height, width) float32.  Values that are negative or not finite count as 0.
        valid : ndarray of bool, optional
            (height, width), instead of `self.valid`.

        Returns
        -------
        Tensor
            (m, 1, size, size) float32; (m, 1, height, width) for 'amplitude'.
        """
        import torch
        from torch.nn import functional

        counts = counts.nan_to_num(0.0, 0.0, 0.0).clamp_min(0.0)
        values = (counts if self.scaling == "raw" else counts.sqrt())[:, None]
        valid = self.valid if valid is None else valid
        if valid is not None:
            good = move_async(torch.from_numpy(valid), values.device).to(values.dtype)[None, None]
            share = functional.avg_pool2d(good, self.bin)
            values = functional.avg_pool2d(values * good, self.bin) / share.clamp_min(1e-6)
        elif self.bin > 1:
            values = functional.avg_pool2d(values, self.bin)
        return values if self.scaling == "amplitude" else self._padded(values) / self.scale

    def _padded(self, values: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        (top, bottom), (left, right) = (_margins(n, self.size) for n in values.shape[-2:])
        return functional.pad(values, (left, right, top, bottom))


def _margins(n: int, size: int) -> tuple[int, int]:
    """Zeros before and after n pixels, so that element n // 2 becomes element size // 2."""
    before = size // 2 - n // 2
    return before, size - n - before


def _times(shape: tuple[int, int]) -> str:
    return f"{shape[0]}x{shape[1]}"
