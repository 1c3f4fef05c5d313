"""The PtychoNN family: one encoder of the diffraction frame, two decoders to real space."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_ptychonn.network.options import NetworkOptions
from napari_ptychonn.optics.far_field import FarField


class PtychoNN(nn.Module):
    """Far-field frame in, amplitude and phase of the object under it out, single-shot.

    Three levels of two 3x3 convolutions with 2x2 max pooling encode the frame;
    two decoders of the same shape enlarge it again (Cherukara et al. 2020,
    doi:10.1063/5.0013065, Fig. 1).

    With the scaling 'amplitude' the network uses the probe.  Its input is the object
    update that the frame alone would make of the mean object, which is already in real
    space; it then corrects its prediction `refinements` times by the update of the
    predicted patch.  Its first and last level have half the resolution and four times
    the channels: full resolution costs a third of the time without a gain.

    Parameters
    ----------
    options : NetworkOptions
        ``NetworkOptions.preset("paper")`` is the published PyTorch network.
    far_field : FarField, optional
        Probe and detector, for the scaling 'amplitude' only; blank if not given.

    Notes
    -----
    ``label_mean`` and ``label_spread`` (amplitude, phase) belong to the
    'standardised' heads; training sets them from its labels.
    """

    label_mean: Tensor
    label_spread: Tensor

    def __init__(self, options: NetworkOptions, far_field: FarField | None = None) -> None:
        super().__init__()
        w, batch_norm = options.width, options.normalisation == "batch"
        self.options = options
        self.far_field = self.refinement = None
        first: list[nn.Module] = [*_convolutions(1, w, batch_norm), nn.MaxPool2d(2)]
        inner = w
        if options.uses_probe:
            self.far_field = far_field or FarField.blank((1, options.size, options.size))
            self.refinement = Refinement(w) if options.refinements else None
            first, inner = [nn.PixelUnshuffle(2)], 8
        self.encoder = nn.Sequential(
            *first,  # size / 2
            *_convolutions(inner, 2 * w, batch_norm),
            nn.MaxPool2d(2),  # size / 4
            *_convolutions(2 * w, 4 * w, batch_norm),
            nn.MaxPool2d(2),  # size / 8
        )
        self.amplitude = _decoder(options)
        self.phase = _decoder(options)
        self.register_buffer("label_mean", torch.zeros(2))
        self.register_buffer("label_spread", torch.ones(2))

    def to_device(self, device: str) -> PtychoNN:
        """Move to a device, channels last, as convolutions are fastest."""
        return self.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(m, 1, height, width) prepared frames → amplitude, phase (m, 1, size, size)."""
        return self.stages(frames)[-1]

    def stages(self, frames: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Amplitude and phase of the prediction and of each refinement, the last is the best."""
        if self.far_field is None:
            return [self._predict(frames)]
        size = self.options.size
        with torch.no_grad():
            propagator = self.far_field.propagator((size, size))
            measured = propagator.measured(frames)
            update = propagator.first_update(measured)
        stages = [self._predict(self._standardised(update))]
        for _ in range(self.options.refinements):
            # Stages are trained separately: no gradient flows back through the far field.
            amplitude, phase = (part.detach() for part in stages[-1])
            with torch.no_grad():
                update = propagator.update(amplitude[:, 0], phase[:, 0], measured)
            stages.append(self._refine(amplitude, phase, self._standardised(update)))
        return stages

    def residual(self, amplitude: Tensor, phase: Tensor, frames: Tensor) -> Tensor | None:
        """Diffraction residual (m,), see `Propagator.residual`; None without a probe."""
        if self.far_field is None:
            return None
        propagator = self.far_field.propagator(amplitude.shape[-2:])
        return propagator.residual(amplitude[:, 0], phase[:, 0], propagator.measured(frames))

    def _predict(self, images: Tensor) -> tuple[Tensor, Tensor]:
        code = self.encoder(images)
        amplitude, phase = self.amplitude(code), self.phase(code)
        if self.options.heads == "sigmoid-tanh":
            return torch.sigmoid(amplitude), math.pi * torch.tanh(phase)
        if self.options.heads == "standardised":
            mean, spread = self.label_mean, self.label_spread
            return mean[0] + spread[0] * amplitude, mean[1] + spread[1] * phase
        return amplitude, phase

    def _refine(self, amplitude: Tensor, phase: Tensor, update: Tensor) -> tuple[Tensor, Tensor]:
        assert self.refinement is not None
        mean, spread = (v.view(1, 2, 1, 1) for v in (self.label_mean, self.label_spread))
        patch = torch.cat([amplitude, phase], dim=1)
        patch = patch + spread * self.refinement((patch - mean) / spread, update)
        return patch[:, :1], patch[:, 1:]

    def _standardised(self, update: Tensor) -> Tensor:
        """Divide an object update by the standard deviation of the labels."""
        update = update / self.label_spread.view(1, 2, 1, 1)
        return update.contiguous(memory_format=torch.channels_last)


class Refinement(nn.Module):
    """Small network that computes the correction of a patch from its object update.

    The object update, as in an iterative engine, comes from one noisy frame: it is right
    on average and wrong in detail.  The network works at half the resolution with four
    times the channels, which costs a quarter.

    Parameters
    ----------
    width : int
        `NetworkOptions.width`.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        near, far = 2 * width, 4 * width
        self.unshuffle, self.shuffle = nn.PixelUnshuffle(2), nn.PixelShuffle(2)
        self.near = nn.Sequential(*convolution(16, near), *convolution(near, near))
        self.far = nn.Sequential(nn.MaxPool2d(2), *convolution(near, far), *convolution(far, near))
        self.together = nn.Sequential(
            *convolution(2 * near, near), nn.Conv2d(near, 8, 3, padding=1)
        )

    def forward(self, patch: Tensor, update: Tensor) -> Tensor:
        """(m, 2, size, size) standardised patch and its update → correction of the patch."""
        near = self.near(self.unshuffle(torch.cat([patch, update], dim=1)))
        far = functional.interpolate(
            self.far(near), scale_factor=2.0, mode="bilinear", align_corners=False
        )
        correction: Tensor = self.shuffle(self.together(torch.cat([near, far], dim=1)))
        return correction


def convolution(inner: int, outer: int, batch_norm: bool = True) -> list[nn.Module]:
    """Return a 3x3 convolution and its rectifier; no bias before batch normalisation."""
    layers: list[nn.Module] = [nn.Conv2d(inner, outer, 3, padding=1, bias=not batch_norm)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(outer))
    return [*layers, nn.ReLU(inplace=True)]


def architecture(options: NetworkOptions) -> int:
    """Version number of the layers that options stand for.

    It is raised when layers change, to distinguish files of another version from damaged
    ones.  The published networks do not change.
    """
    return 3 if options.uses_probe else 1


def parameter_count(network: nn.Module) -> int:
    """Number of trainable parameters of a network."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def _convolutions(inner: int, outer: int, batch_norm: bool) -> list[nn.Module]:
    """Two 3x3 convolutions, each with its rectifier."""
    return [*convolution(inner, outer, batch_norm), *convolution(outer, outer, batch_norm)]


def _decoder(options: NetworkOptions) -> nn.Sequential:
    """(m, 4w, size/8, size/8) → (m, 1, size, size)."""
    w, batch_norm = options.width, options.normalisation == "batch"
    align = False if options.upsampling == "bilinear" else None
    enlarge = nn.Upsample(scale_factor=2, mode=options.upsampling, align_corners=align)
    last = options.last_width * w
    layers = [
        *_convolutions(4 * w, 4 * w, batch_norm),
        enlarge,
        *_convolutions(4 * w, 2 * w, batch_norm),
        enlarge,
        *_convolutions(2 * w, last, batch_norm),
    ]
    if options.uses_probe:
        return nn.Sequential(*layers, nn.Conv2d(last, 4, 3, padding=1), nn.PixelShuffle(2))
    return nn.Sequential(*layers, enlarge, nn.Conv2d(last, 1, 3, padding=1))
