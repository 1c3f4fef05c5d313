"""Mosaic: overlapping patches averaged at sub-pixel positions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.data.patches import Patches
from napari_ptychonn.deprecation import RenamedAttribute
from napari_ptychonn.optics.illumination import illumination_weight
from napari_ptychonn.optics.interpolation import TAPS, cubic_weights

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BATCH = 32
"""Patches resampled at once: few enough to stay in the cache."""

PIXELS = BATCH * 64 * 64
"""Pixels resampled at once: fewer patches where they are larger than 64x64."""

PIXELS_ON_GPU = 1024 * 64 * 64
"""The same on a GPU."""

BEFORE, AFTER = 2, 1
"""Reach of the cubic convolution before and after a pixel."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MosaicImage:
    """A mosaic as arrays, (ny, nx) float32 and NaN where nothing was predicted.

    Attributes
    ----------
    amplitude, phase : ndarray of float32
        Weighted overlap average; phase in rad.
    weight : ndarray of float32
        Sum of the patch weights that fell on each pixel.
    overlap_std : ndarray of float32
        Circular standard deviation of the overlapping predictions' phase, rad.
    pixel_size, origin : tuple of float
        (y, x) in the scan's unit; `origin` is the position of the centre of pixel (0, 0).
    """

    amplitude: NDArray[np.float32]
    phase: NDArray[np.float32]
    weight: NDArray[np.float32]
    overlap_std: NDArray[np.float32]
    pixel_size: tuple[float, float]
    origin: tuple[float, float]

    spread = RenamedAttribute("overlap_std")


class Mosaic:
    """Weighted sub-pixel overlap average of patches, for any scan pattern.

    Each patch is resampled on the grid by cubic convolution of its amplitude and of the
    cosine and sine of its phase, and added with its weight.  The result does not depend
    on order or batching; a scan point that was added before is ignored.

    Parameters
    ----------
    shape : tuple of int
        Grid (ny, nx).
    origin, pixel_size : tuple of float
        Position of the centre of pixel (0, 0), and the grid's pitch, (y, x), in one unit.
    weight : ndarray of float32
        (py, px) weight of each pixel of a patch, ≥ 0.

    See Also
    --------
    Mosaic.covering : make the grid from the positions.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        origin: tuple[float, float],
        pixel_size: tuple[float, float],
        weight: NDArray[np.float32],
    ) -> None:
        self.origin = origin
        self.pixel_size = pixel_size
        self._patch_weight = np.asarray(weight, np.float32)
        self._sums = np.zeros((4, *shape))  # weight, and weighted amplitude, cosine, sine
        self._added: set[int] = set()
        self._spare: list[_ScratchBuffers] = []
        self._device: _DeviceSums | None = None
        self._together = max(1, min(BATCH, PIXELS // self._patch_weight.size))

    @classmethod
    def covering(
        cls,
        positions: NDArray[np.float64],
        patch_shape: tuple[int, int],
        pixel_size: tuple[float, float],
        weight: NDArray[np.float32] | None = None,
        anchor: tuple[float, float] = (0.0, 0.0),
    ) -> Mosaic:
        """Make the smallest mosaic for patches at all positions.

        Parameters
        ----------
        positions : ndarray of float64
            (n, 2) scan points.
        patch_shape : tuple of int
            (py, px).
        pixel_size : tuple of float
            (y, x).
        weight : ndarray of float32, optional
            (py, px); `window_weight` of the patch shape by default.
        anchor : tuple of float
            Position of the centre of some pixel, such as the origin of a reconstruction,
            whose grid the mosaic then has.
        """
        pixel, half = np.asarray(pixel_size), np.asarray(patch_shape) // 2
        index = (positions - np.asarray(anchor)) / pixel
        first = np.floor(_snapped(index.min(axis=0))) - half
        last = np.floor(_snapped(index.max(axis=0))) - half + np.asarray(patch_shape)
        origin = np.asarray(anchor) + first * pixel
        rows, columns = (last - first + 1).astype(int)
        return cls(
            shape=(int(rows), int(columns)),
            origin=(float(origin[0]), float(origin[1])),
            pixel_size=pixel_size,
            weight=window_weight(patch_shape) if weight is None else weight,
        )

    def add(self, patches: Patches, positions: NDArray[np.float64]) -> None:
        """Add a batch of patches.

        Parameters
        ----------
        patches : Patches
            m patches (py, px).  A patch with a value that is not finite is left out.
        positions : ndarray of float64
            (m, 2) of their centres.

        Raises
        ------
        ValueError
            When a patch does not fit on the grid.
        """
        if patches.on_device is not None:
            self._add_on_device(patches, *patches.on_device, positions)
            return
        finite = np.isfinite(patches.amplitude).all((1, 2)) & np.isfinite(patches.phase).all((1, 2))
        new = [k for k in np.flatnonzero(finite) if self._is_new(int(patches.indices[k]))]
        if not new:
            return
        rows = np.asarray(new)
        whole, fraction = self._grid_corners(positions[rows])
        # Sorted by rows of patches, so that those of one batch cover little of the grid.
        order = np.lexsort((whole[:, 1], whole[:, 0] // len(self._patch_weight)))
        batches = [order[k : k + self._together] for k in range(0, len(order), self._together)]
        if len(batches) == 1:
            self._add_block(self._block(patches[rows], whole, fraction))
            return
        from napari_ptychonn.compute.threads import single_threaded_pool

        with single_threaded_pool() as (pool, count):
            for start in range(0, len(batches), 2 * count):
                blocks = [
                    pool.submit(self._block, patches[rows[b]], whole[b], fraction[b])
                    for b in batches[start : start + 2 * count]
                ]
                for block in blocks:
                    self._add_block(block.result())

    def image(self) -> MosaicImage:
        """Return the mosaic so far."""
        sums = self._sums if self._device is None else self._sums + self._device.sums()
        total, amplitude, cosine, sine = sums
        covered = total > 1e-6 * self._patch_weight.max()
        weight = np.where(covered, total, np.nan)
        resultant = np.clip(np.hypot(cosine, sine) / weight, 1e-6, 1.0)
        return MosaicImage(
            amplitude=(amplitude / weight).astype(np.float32),
            phase=np.where(covered, np.arctan2(sine, cosine), np.nan).astype(np.float32),
            weight=weight.astype(np.float32),
            overlap_std=np.sqrt(-2.0 * np.log(resultant)).astype(np.float32),
            pixel_size=self.pixel_size,
            origin=self.origin,
        )

    def _is_new(self, index: int) -> bool:
        known = index in self._added
        self._added.add(index)
        return not known

    def _grid_corners(
        self, positions: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """First row and column of each patch, as integers and fractions: (m, 2) each."""
        shape = np.asarray(self._patch_weight.shape)
        index = (positions - np.asarray(self.origin)) / np.asarray(self.pixel_size)
        corner = _snapped(index - shape // 2)
        whole = np.floor(corner).astype(np.int64)
        if (whole < 0).any() or (whole + shape > self._sums.shape[1:]).any():
            raise ValueError("a patch lies outside the mosaic's grid")
        return whole, corner - whole

    def _add_on_device(
        self, patches: Patches, amplitude: Tensor, phase: Tensor, positions: NDArray[np.float64]
    ) -> None:
        new = np.array([self._is_new(int(k)) for k in patches.indices], dtype=bool)
        whole, fraction = self._grid_corners(positions)
        if self._device is None:
            self._device = _DeviceSums(self._sums.shape, self._patch_weight, amplitude.device)
        self._device.add(amplitude, phase, whole, fraction, new)

    def _block(
        self, patches: Patches, whole: NDArray[np.int64], fraction: NDArray[np.float64]
    ) -> _Block:
        """Sum patches on the part of the grid that they cover."""
        import torch

        py, px = self._patch_weight.shape
        buffers = (
            self._spare.pop()
            if self._spare
            else _ScratchBuffers(self._patch_weight, self._together)
        )
        images = torch.from_numpy(patches.amplitude), torch.from_numpy(patches.phase)
        moved = buffers.resample(*images, _Shift.from_fractions(fraction)).numpy()
        first, last = whole.min(axis=0), whole.max(axis=0)
        # float32 is enough for a few dozen patches; the grid sums thousands in float64.
        sums = np.zeros((4, *(last - first + (py, px))), np.float32)
        for patch, (y, x) in zip(moved, whole - first, strict=True):
            sums[:, y : y + py, x : x + px] += patch
        self._spare.append(buffers)
        return _Block(sums=sums, corner=(int(first[0]), int(first[1])))

    def _add_block(self, block: _Block) -> None:
        (y, x), (_, rows, columns) = block.corner, block.sums.shape
        self._sums[:, y : y + rows, x : x + columns] += block.sums


@dataclass(frozen=True, kw_only=True, eq=False)
class _Block:
    """Sums (4, rows, columns) whose first pixel is pixel `corner` of the grid."""

    sums: NDArray[np.float32]
    corner: tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shift:
    """Shifts of m patches by less than a pixel.

    Attributes
    ----------
    fraction : Tensor
        (2, m, 1, 1) towards larger rows and columns, 0 ≤ f < 1.
    taps : Tensor
        (2, 4, m, 1, 1, 1) weights of the four pixels, along rows and columns.
    """

    fraction: Tensor
    taps: Tensor

    @classmethod
    def from_fractions(
        cls, fraction: NDArray[np.float64], device: torch.device | str = "cpu"
    ) -> _Shift:
        """From fractions of a pixel (m, 2)."""
        import torch

        # k − f lies at fraction 1 − f after pixel k − 1; at f = 0 that is pixel k alone.
        taps = np.stack([cubic_weights(1.0 - f).T for f in fraction.T]).astype(np.float32)
        fractions = torch.from_numpy(fraction.T.astype(np.float32))
        return cls(
            fraction=fractions[..., None, None].to(device),
            taps=torch.from_numpy(taps)[..., None, None, None].to(device),
        )

    def __getitem__(self, rows: slice) -> _Shift:
        """Select patches."""
        return _Shift(fraction=self.fraction[:, rows], taps=self.taps[:, :, rows])


class _DeviceSums:
    """The sums of a mosaic on the GPU that predicts its patches.

    Parameters
    ----------
    shape : tuple of int
        (4, ny, nx).
    weight : ndarray of float32
        (py, px) weight of each pixel of a patch.
    device : torch.device
        Device of the patches.
    """

    def __init__(
        self, shape: tuple[int, ...], weight: NDArray[np.float32], device: torch.device
    ) -> None:
        import torch

        self.shape = shape
        self._together = max(1, PIXELS_ON_GPU // weight.size)
        self._buffers = _ScratchBuffers(weight, self._together, device)
        self._sums = torch.zeros(
            (shape[0], shape[1] * shape[2]), dtype=torch.float64, device=device
        )
        rows, columns = (torch.arange(n, device=device) for n in weight.shape)
        self._within = rows[:, None] * shape[2] + columns

    def add(
        self,
        amplitude: Tensor,
        phase: Tensor,
        whole: NDArray[np.int64],
        fraction: NDArray[np.float64],
        new: NDArray[np.bool_],
    ) -> None:
        """Add new and finite patches (m, py, px), without waiting for the device."""
        import torch

        device = amplitude.device
        if device.type == "cuda":
            for images in (amplitude, phase):  # of another stream, which may free them
                images.record_stream(torch.cuda.current_stream(device))
        shift = _Shift.from_fractions(fraction, device)
        first = torch.from_numpy(whole @ [self.shape[2], 1]).to(device)
        counts = torch.from_numpy(new).to(device)
        with torch.inference_mode():
            for start in range(0, len(amplitude), self._together):
                rows = slice(start, start + self._together)
                part = amplitude[rows], phase[rows]
                counted = counts[rows]
                for image in part:
                    counted = counted & image.isfinite().all(-1).all(-1)
                moved = self._buffers.resample(*part, shift[rows])
                moved = torch.where(counted[:, None, None, None], moved, 0.0)
                where = first[rows, None, None] + self._within
                values = moved.transpose(0, 1).double().flatten(1)
                self._sums.index_add_(1, where.flatten(), values)

    def sums(self) -> NDArray[np.float64]:
        """(4, ny, nx), on the host."""
        return np.asarray(self._sums.cpu().numpy().reshape(self.shape))


class _ScratchBuffers:
    """Reused buffers for resampling patches: allocating costs as much as the work.

    Parameters
    ----------
    weight : ndarray of float32
        (py, px) weight of each pixel of a patch.
    count : int
        Patches resampled at once, at most.
    device : torch.device, optional
        Torch device.
    """

    def __init__(
        self, weight: NDArray[np.float32], count: int, device: torch.device | str = "cpu"
    ) -> None:
        import torch

        py, px = weight.shape
        self.weight = torch.tensor(weight, device=device)
        allocate = partial(torch.empty, device=device)
        self.padded = allocate((count, 3, BEFORE + py + AFTER, BEFORE + px + AFTER))
        self.lines = allocate((count, 3, py, BEFORE + px + AFTER))
        self.result = allocate((count, 4, py, px))
        self.shifted = allocate((count, py, px))

    def resample(self, amplitude: Tensor, phase: Tensor, shift: _Shift) -> Tensor:
        """Resample weight, and weighted amplitude, cosine and sine, on the grid.

        Parameters
        ----------
        amplitude, phase : Tensor
            (m, py, px), m ≤ `count`.
        shift : _Shift
            Shift of each towards larger rows and columns.

        Returns
        -------
        Tensor
            (m, 4, py, px), overwritten by the next call.
        """
        import torch

        with torch.inference_mode():
            moved = self.result[: len(phase)]
            self._move_weight(shift, moved[:, 0])
            self._pad(amplitude, phase)
            self._move(shift, moved[:, 1:])
            moved[:, 1:] *= moved[:, :1]
            return moved

    def _pad(self, amplitude: Tensor, phase: Tensor) -> None:
        """Amplitude, cosine and sine, their edges repeated outwards."""
        import torch

        m, py, px = phase.shape
        padded = self.padded[:m]
        inner = padded[..., BEFORE : BEFORE + py, BEFORE : BEFORE + px]
        inner[:, 0] = amplitude
        torch.cos(phase, out=inner[:, 1])
        torch.sin(phase, out=inner[:, 2])
        padded[..., :BEFORE, :] = padded[..., BEFORE : BEFORE + 1, :]
        padded[..., BEFORE + py :, :] = padded[..., BEFORE + py - 1 : BEFORE + py, :]
        padded[..., :BEFORE] = padded[..., BEFORE : BEFORE + 1]
        padded[..., BEFORE + px :] = padded[..., BEFORE + px - 1 : BEFORE + px]

    def _move(self, shift: _Shift, out: Tensor) -> None:
        """Read the padded images at (row − f, column − g) by cubic convolution."""
        import torch

        rows, columns = shift.taps.unbind()
        m, _, py, px = out.shape
        padded, lines = self.padded[:m], self.lines[:m]
        torch.mul(padded[..., :py, :], rows[0], out=lines)
        for tap in range(1, len(TAPS)):
            lines.addcmul_(padded[..., tap : tap + py, :], rows[tap])
        torch.mul(lines[..., :px], columns[0], out=out)
        for tap in range(1, len(TAPS)):
            out.addcmul_(lines[..., tap : tap + px], columns[tap])

    def _move_weight(self, shift: _Shift, out: Tensor) -> None:
        """Shift the weight linearly; 0 beyond the patch."""
        import torch

        f, g = shift.fraction.unbind()
        shifted = self.shifted[: len(out)]
        torch.lerp(self.weight, self.weight.roll(1, 0), f, out=shifted)
        shifted[:, 0, :] *= f[..., 0] == 0
        torch.lerp(shifted[:, :, 1:], shifted[:, :, :-1], g, out=out[:, :, 1:])
        torch.mul(shifted[:, :, 0], g[..., 0] == 0, out=out[:, :, 0])


def window_weight(patch_shape: tuple[int, int], floor: float = 0.01) -> NDArray[np.float32]:
    """Weight that falls from the middle of a patch to `floor` at its rim (squared sine).

    The middle, where the probe was, is predicted best; a fading rim leaves no seams.
    """
    rows, columns = (np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in patch_shape)
    return np.maximum(np.outer(rows, columns), floor).astype(np.float32)


def patch_weight(
    probe: NDArray[np.complex64] | None, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Weight (py, px) of a patch's pixels in a mosaic: by illumination, else `window_weight`."""
    return window_weight(shape) if probe is None else illumination_weight(probe, shape)


def _snapped(index: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round values that are whole pixels up to the rounding of metres."""
    whole = np.round(index)
    return np.where(np.abs(index - whole) < 1e-6, whole, index)
