"""A trained part of the network as it is fastest to run: convolutions with all that is fixed in."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

FEW = 16
"""Channels from which on torch has a quick way of enlarging on a GPU."""


def folded(part: nn.Sequential) -> nn.Sequential:
    """Return the same function with fewer and quicker steps, for prediction alone.

    Batch normalisation becomes part of the convolution before it, and taking
    2x2 pixels apart into channels part of the one after it.  Putting them
    together again at the end is left to `put_together`.

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
            steps.append(strided(step) if unshuffled else step)
            unshuffled = False
        elif isinstance(step, nn.BatchNorm2d):
            before = steps.pop()
            assert isinstance(before, nn.Conv2d)
            steps.append(fuse_conv_bn_eval(before, step))
        elif isinstance(step, nn.MaxPool2d):
            steps.append(Halve())
        elif isinstance(step, nn.Upsample) and step.mode == "bilinear":
            steps.append(Double())
        elif not isinstance(step, nn.PixelShuffle):
            steps.append(step)
    return nn.Sequential(*steps)


def strided(convolution: nn.Conv2d) -> nn.Conv2d:
    """Join ``PixelUnshuffle(2)`` and a 3x3 convolution: one of 6x6 that moves by two pixels."""
    weight = convolution.weight.detach()
    outer, inner = weight.shape[0], weight.shape[1] // 4
    joined = nn.Conv2d(inner, outer, 6, stride=2, padding=2, bias=convolution.bias is not None)
    taken_apart = weight.view(outer, inner, 2, 2, 3, 3).permute(0, 1, 4, 2, 5, 3)
    with torch.no_grad():
        joined.weight.copy_(taken_apart.reshape(outer, inner, 6, 6))
        if joined.bias is not None and convolution.bias is not None:
            joined.bias.copy_(convolution.bias)
    return joined.eval()


class Halve(nn.Module):
    """2x2 max pooling.

    Without the indices that only training needs, which on a CPU is three times as fast.
    """

    def forward(self, images: Tensor) -> Tensor:
        """(m, c, 2h, 2w) → (m, c, h, w)."""
        if images.device.type != "cpu":
            return functional.max_pool2d(images, 2)
        rows = torch.maximum(images[:, :, ::2], images[:, :, 1::2])
        return torch.maximum(rows[..., ::2], rows[..., 1::2])


class Double(nn.Module):
    """Bilinear enlarging by two.

    Below `FEW` channels torch enlarges on a GPU with one thread for each pixel and
    all images of the batch one after the other: two thirds of a prediction's time.
    """

    def forward(self, images: Tensor) -> Tensor:
        """(m, c, h, w) → (m, c, 2h, 2w)."""
        if images.device.type == "cpu" or images.shape[1] >= FEW:
            return functional.interpolate(
                images, scale_factor=2.0, mode="bilinear", align_corners=False
            )
        channels_last = images.permute(0, 2, 3, 1)
        return doubled(doubled(channels_last, 1), 2).permute(0, 3, 1, 2)


def doubled(images: Tensor, axis: int) -> Tensor:
    """Enlarge (…, n, …) to (…, 2n, …): each pixel becomes two, a quarter pixel to either side."""
    first, last = images.narrow(axis, 0, 1), images.narrow(axis, images.shape[axis] - 1, 1)
    padded = torch.cat([first, images, last], axis)
    before, after = (padded.narrow(axis, k, images.shape[axis]) for k in (0, 2))
    halves = torch.lerp(images, before, 0.25), torch.lerp(images, after, 0.25)
    return torch.stack(halves, axis + 1).flatten(axis, axis + 1)


def put_together(parts: Tensor, out: Tensor) -> None:
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
