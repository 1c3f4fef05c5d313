"""The PtychoNN family: one encoder of the diffraction frame, two decoders to real space."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from napari_ptychonn.core.options import NetworkOptions


class PtychoNN(nn.Module):
    """Far-field frame in, amplitude and phase of the object under it out, single-shot.

    Three levels of two 3x3 convolutions with 2x2 max pooling encode the frame;
    two decoders of the same shape enlarge it again (Cherukara et al. 2020,
    doi:10.1063/5.0013065, Fig. 1).

    Parameters
    ----------
    options : NetworkOptions
        ``NetworkOptions.preset("paper")`` is the published PyTorch network.

    Notes
    -----
    ``label_mean`` and ``label_spread`` (amplitude, phase) belong to the
    'standardised' heads; training sets them from its labels.
    """

    label_mean: Tensor
    label_spread: Tensor

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        w, batch_norm = options.width, options.normalisation == "batch"
        self.heads = options.heads
        self.encoder = nn.Sequential(
            *_convolutions(1, w, batch_norm),
            nn.MaxPool2d(2),  # size / 2
            *_convolutions(w, 2 * w, batch_norm),
            nn.MaxPool2d(2),  # size / 4
            *_convolutions(2 * w, 4 * w, batch_norm),
            nn.MaxPool2d(2),  # size / 8
        )
        self.amplitude = _decoder(options)
        self.phase = _decoder(options)
        self.register_buffer("label_mean", torch.zeros(2))
        self.register_buffer("label_spread", torch.ones(2))

    def on(self, device: str) -> PtychoNN:
        """Move to a device, in the memory order that convolutions are fastest in."""
        return self.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(m, 1, size, size) prepared frames → amplitude, phase (m, 1, size, size)."""
        code = self.encoder(frames)
        amplitude, phase = self.amplitude(code), self.phase(code)
        if self.heads == "sigmoid-tanh":
            return torch.sigmoid(amplitude), math.pi * torch.tanh(phase)
        if self.heads == "standardised":
            mean, spread = self.label_mean, self.label_spread
            return mean[0] + spread[0] * amplitude, mean[1] + spread[1] * phase
        return amplitude, phase


def parameter_count(network: nn.Module) -> int:
    """Trainable numbers in a network."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def _convolutions(inner: int, outer: int, batch_norm: bool) -> list[nn.Module]:
    """Two 3x3 convolutions, each with its rectifier."""
    layers: list[nn.Module] = []
    for channels in (inner, outer):
        # A bias before batch normalisation is subtracted again, so it is left out.
        layers.append(nn.Conv2d(channels, outer, 3, padding=1, bias=not batch_norm))
        if batch_norm:
            layers.append(nn.BatchNorm2d(outer))
        layers.append(nn.ReLU(inplace=True))
    return layers


def _decoder(options: NetworkOptions) -> nn.Sequential:
    """(m, 4w, size/8, size/8) → (m, 1, size, size)."""
    w, batch_norm = options.width, options.normalisation == "batch"
    layers: list[nn.Module] = []
    inner = 4 * w
    for outer in (4 * w, 2 * w, options.last_width * w):
        layers += _convolutions(inner, outer, batch_norm)
        align = False if options.upsampling == "bilinear" else None
        layers.append(nn.Upsample(scale_factor=2, mode=options.upsampling, align_corners=align))
        inner = outer
    return nn.Sequential(*layers, nn.Conv2d(inner, 1, 3, padding=1))
