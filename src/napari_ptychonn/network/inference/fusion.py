"""Fusion of trained layers into fewer and faster ones, for prediction alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

FEW_CHANNELS = 16
"""Below this number torch upsamples slowly on a GPU."""


def fuse(part: nn.Sequential) -> nn.Sequential:
    """Return the same function with fewer and faster layers.

    Batch normalisation is fused into the convolution before it, and ``PixelUnshuffle``
    into the one after it.  Upsampling before a convolution to one channel follows its sums
    (`UpsampledConv`).  ``PixelShuffle`` at the end is left to `shuffle_pixels`.

    Parameters
    ----------
    part : nn.Sequential
        In evaluation mode.
    """
    steps: list[nn.Module] = []
    unshuffled = False
    for step in part:
        if isinstance(step, nn.PixelUnshuffle):
            unshuffled = True
        elif isinstance(step, nn.Conv2d):
            before = steps[-1] if steps else None
            single = step is part[-1] and step.out_channels == 1
            if single and isinstance(before, nn.Upsample | Double):
                steps[-1] = UpsampledConv(before.mode, step)
            else:
                steps.append(fuse_unshuffle_conv(step) if unshuffled else step)
            unshuffled = False
        elif isinstance(step, nn.BatchNorm2d):
            convolution = steps.pop()
            assert isinstance(convolution, nn.Conv2d)
            steps.append(fuse_conv_bn_eval(convolution, step))
        elif isinstance(step, nn.MaxPool2d):
            steps.append(Halve())
        elif isinstance(step, nn.Upsample) and step.mode == "bilinear":
            steps.append(Double())
        elif not isinstance(step, nn.PixelShuffle):
            steps.append(step)
    return nn.Sequential(*steps)


def fuse_unshuffle_conv(convolution: nn.Conv2d) -> nn.Conv2d:
    """Fuse ``PixelUnshuffle(2)`` and a 3x3 convolution to one of 6x6 with stride 2."""
    weight = convolution.weight.detach()
    outer, inner = weight.shape[0], weight.shape[1] // 4
    joined = nn.Conv2d(inner, outer, 6, stride=2, padding=2, bias=convolution.bias is not None)
    taken_apart = weight.view(outer, inner, 2, 2, 3, 3).permute(0, 1, 4, 2, 5, 3)
    with torch.no_grad():
        joined.weight.copy_(taken_apart.reshape(outer, inner, 6, 6))
        if joined.bias is not None and convolution.bias is not None:
            joined.bias.copy_(convolution.bias)
    return joined.eval()


def fuse_parallel_convs(parts: Sequence[nn.Sequential]) -> nn.Sequential:
    """Fuse sequences of the same layers and input to one, with their outputs as channels.

    All but the first convolutions have zero weights between different sequences.

    Parameters
    ----------
    parts : sequence of nn.Sequential
        As `fuse` returns them.
    """
    steps: list[nn.Module] = []
    reads_all = True
    for step, *others in zip(*parts, strict=True):
        if isinstance(step, nn.Conv2d):
            steps.append(_joined([step, *others], reads_all))
            reads_all = False
        else:
            steps.append(step)
    return nn.Sequential(*steps)


def _joined(convolutions: Sequence[nn.Conv2d], reads_all: bool) -> nn.Conv2d:
    """One convolution for several with bias and of the same shape."""
    first, count = convolutions[0], len(convolutions)
    inner = first.in_channels * (1 if reads_all else count)
    size: tuple[int, int] = first.kernel_size  # type: ignore[assignment]
    joined = nn.Conv2d(inner, first.out_channels * count, size, padding=first.padding)  # type: ignore[arg-type]
    with torch.no_grad():
        joined.weight.zero_()
        for k, each in enumerate(convolutions):
            outputs = slice(k * each.out_channels, (k + 1) * each.out_channels)
            start = 0 if reads_all else k * each.in_channels
            joined.weight[outputs, start : start + each.in_channels] = each.weight
            assert joined.bias is not None and each.bias is not None
            joined.bias[outputs] = each.bias
    return joined.eval()


class Halve(nn.Module):
    """2x2 max pooling.

    Three times as fast on a CPU, without the indices that only training needs.
    """

    def forward(self, images: Tensor) -> Tensor:
        """(m, c, 2h, 2w) → (m, c, h, w)."""
        if images.device.type != "cpu":
            return functional.max_pool2d(images, 2)
        rows = torch.maximum(images[:, :, ::2], images[:, :, 1::2])
        return torch.maximum(rows[..., ::2], rows[..., 1::2])


class Double(nn.Module):
    """Bilinear upsampling by two.

    Below `FEW_CHANNELS` channels torch upsamples on a GPU with one thread per pixel and
    all images of the batch in sequence: two thirds of a prediction's time.
    """

    mode = "bilinear"

    def forward(self, images: Tensor) -> Tensor:
        """(m, c, h, w) → (m, c, 2h, 2w)."""
        if images.device.type == "cpu" or images.shape[1] >= FEW_CHANNELS:
            # In float32: with both conversions a CPU is twice as fast as in bfloat16.
            wide = images.float() if images.device.type == "cpu" else images
            return functional.interpolate(
                wide, scale_factor=2.0, mode="bilinear", align_corners=False
            ).to(images.dtype)
        channels_last = images.permute(0, 2, 3, 1)
        return double_axis(double_axis(channels_last, 1), 2).permute(0, 3, 1, 2)


class UpsampledConv(nn.Module):
    """Upsampling by two and a 3x3 convolution to one channel, in much less time.

    Both are linear, so the channels are summed before they are upsampled, for each of
    the nine weights of the convolution.  Upsampling and a shift by a pixel are a matrix
    along each axis: out = Σ A_i t_ij A_jᵀ, where t_ij is the sum of the channels by their
    weights (i, j).

    Parameters
    ----------
    mode : {'bilinear', 'nearest'}
        Of upsampling.
    convolution : nn.Conv2d
        Of one output channel, with a padding of 1 and a bias.
    """

    def __init__(self, mode: str, convolution: nn.Conv2d) -> None:
        super().__init__()
        assert convolution.bias is not None
        self.mode = mode
        self.weights = nn.Parameter(convolution.weight.detach()[0].flatten(1).T.contiguous())
        self.bias = nn.Parameter(convolution.bias.detach().clone())

    def forward(self, images: Tensor) -> Tensor:
        """(m, c, h, w) → (m, 1, 2h, 2w) float32."""
        m, _, height, width = images.shape
        sums = torch.matmul(self.weights, images.flatten(2)).view(m, 3, 3, height, width)
        sums = sums.transpose(2, 3).reshape(m, 3 * height, 3 * width).float()
        rows, columns = (_upsampling_matrices(n, self.mode, images.device) for n in (height, width))
        return (rows @ (sums @ columns.T) + self.bias.float()).unsqueeze(1)


@cache
def _upsampling_matrices(n: int, mode: str, device: torch.device) -> Tensor:
    """Matrices A of `UpsampledConv` for shifts of 1, 0 and -1 in one: (2n, 3n) float32."""
    points = torch.eye(n).view(1, n, n, 1)
    enlarged = functional.interpolate(points, scale_factor=2.0, mode=mode)[0, :, :, 0].T
    padded = functional.pad(enlarged, (0, 0, 1, 1))  # zero padding of the convolution
    return torch.cat([padded[i : i + 2 * n] for i in range(3)], dim=1).to(device)


def double_axis(images: Tensor, axis: int) -> Tensor:
    """Enlarge (…, n, …) to (…, 2n, …): each pixel becomes two, a quarter pixel to either side."""
    first, last = images.narrow(axis, 0, 1), images.narrow(axis, images.shape[axis] - 1, 1)
    padded = torch.cat([first, images, last], axis)
    before, after = (padded.narrow(axis, k, images.shape[axis]) for k in (0, 2))
    halves = torch.lerp(images, before, 0.25), torch.lerp(images, after, 0.25)
    return torch.stack(halves, axis + 1).flatten(axis, axis + 1)


def shuffle_pixels(parts: Tensor, out: Tensor) -> None:
    """``PixelShuffle(2)`` of one image into `out`, which may have any order in memory.

    Parameters
    ----------
    parts : Tensor
        (m, 4, h, w).
    out : Tensor
        (m, 2h, 2w).
    """
    for part in range(4):
        out[:, part // 2 :: 2, part % 2 :: 2] = parts[:, part]
