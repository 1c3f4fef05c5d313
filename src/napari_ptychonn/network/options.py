"""Options of network and training, from which forms and help texts are made.

Without ``from __future__ import annotations``, as magicgui needs the ranges, and without
torch, so that forms open at once.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from napari_ptychonn.deprecation import RenamedAttribute
from napari_ptychonn.errors import InputError
from napari_ptychonn.validation import check_options

Preset = Literal["default", "paper", "paper-keras"]
"""'default' needs a few hundred training frames; the other two are as published in 2020."""

PRESETS: tuple[Preset, ...] = ("default", "paper", "paper-keras")


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """Shape of the network and of its input.

    Attributes
    ----------
    size : int
        Edge of the input frame and of the predicted patch, pixels; a multiple of 8.
    scaling : {'amplitude', 'sqrt', 'raw'}
        Input: 'amplitude' is square roots of the counts of the whole frame, propagated
        to the sample by the probe, which must be known; 'sqrt' is mean-binned square
        roots over their standard deviation; 'raw' is mean-binned counts.
    refinements : int
        Number of corrections of a prediction by the difference between its own far
        field and the frame, for 'amplitude' only.
    width : int
        Channels after the first convolution; they double at each of three levels.
    normalisation : {'batch', 'none'}
        Batch normalisation after each hidden convolution.
    upsampling : {'bilinear', 'nearest'}
        In the decoders.
    last_width : int
        Channels of each decoder's last level, in units of `width`.
    heads : {'standardised', 'sigmoid-tanh', 'linear'}
        Outputs: 'standardised' is linear around mean and standard deviation of the
        training labels; 'sigmoid-tanh' is amplitude in 0…1 and phase in −π…π; 'linear' is
        unscaled.
    """

    size: Annotated[
        int,
        {
            "label": "Patch, px",
            "tooltip": "Edge of the input frame and of the predicted patch, in pixels.",
            "min": 16,
            "max": 4096,
            "step": 16,
        },
    ] = 64
    scaling: Annotated[
        Literal["amplitude", "sqrt", "raw"],
        {
            "label": "Input scaling",
            "tooltip": "amplitude: far-field amplitudes, propagated to the sample by the probe. "
            "sqrt: square roots of the counts, which emphasise weak features. "
            "raw: the counts, as published.",
        },
    ] = "amplitude"
    refinements: Annotated[
        int,
        {
            "label": "Refinements",
            "tooltip": "Corrections of a prediction by the difference between its own far field "
            "and the frame (scaling amplitude only).",
            "min": 0,
            "max": 10,
        },
    ] = 2
    width: Annotated[
        int,
        {
            "label": "Width",
            "tooltip": "Channels of the first layer. More learn finer detail and train slower.",
            "min": 1,
            "max": 1024,
        },
    ] = 4
    normalisation: Annotated[
        Literal["batch", "none"],
        {
            "label": "Normalisation",
            "tooltip": "Batch normalisation helps to train on few frames.",
        },
    ] = "batch"
    upsampling: Annotated[
        Literal["bilinear", "nearest"],
        {"label": "Upsampling", "tooltip": "How the decoders enlarge their images."},
    ] = "bilinear"
    last_width: Annotated[
        int,
        {
            "label": "Last width",
            "tooltip": "Channels of the decoders' last level, in units of the width.",
            "min": 1,
            "max": 2,
        },
    ] = 2
    heads: Annotated[
        Literal["standardised", "sigmoid-tanh", "linear"],
        {
            "label": "Outputs",
            "tooltip": "standardised: around the mean and spread of the training labels. "
            "sigmoid-tanh: amplitude within 0 to 1, phase within -π to π. linear: as they are.",
        },
    ] = "standardised"

    def __post_init__(self) -> None:
        check_options(self)
        if self.size % 8:
            raise InputError(
                f"NetworkOptions.size must be a multiple of 8, got {self.size}.",
                expected="a multiple of 8",
                got=self.size,
            )

    @property
    def uses_probe(self) -> bool:
        """Whether the input is propagated to the sample by the probe."""
        return self.scaling == "amplitude"

    def without_probe(self) -> "NetworkOptions":
        """Return the closest options for a scan without a probe.

        The network is twice as wide, as its predictions are not refined.
        """
        if not self.uses_probe:
            return self
        return replace(self, scaling="sqrt", refinements=0, width=2 * self.width, last_width=1)

    knows_beam = RenamedAttribute("uses_probe")
    without_beam = RenamedAttribute("without_probe")

    @classmethod
    def preset(cls, name: Preset) -> "NetworkOptions":
        """Return the options of a named network; 'paper' has 1,247,074 parameters.

        Raises
        ------
        InputError
            When there is no such preset.
        """
        _require(name)
        if name == "default":
            return cls()
        published = cls(scaling="raw", refinements=0, width=32, normalisation="none")
        if name == "paper":
            return replace(published, heads="sigmoid-tanh")
        return replace(published, last_width=1, upsampling="nearest", heads="linear")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Recipe: mean absolute error, Adam, the model of the lowest validation loss kept.

    Attributes
    ----------
    steps : int
        Optimiser steps in all, when `epochs` is 0: a budget for 100 frames and for
        16,000.
    epochs : int
        Passes over the training frames; 0 to use `steps`.
    batch_size : int
        Frames per step.
    learning_rate : float
        Of Adam, at the start.
    schedule : {'linear', 'plateau'}
        'linear' falls to 2 % over the whole budget; 'plateau' is halved after
        `patience` epochs without a better validation loss, down to a tenth.
    patience : int
        See `schedule`.
    stop_after : int
        End after so many epochs without a better validation loss; 0 never.
    rescans : float
        Virtual frames for each measured one, computed by scanning the
        reconstructed object with the reconstructed probe; needs a probe.
    loss_weight : {'probe', 'uniform'}
        Weight of the loss over a patch: by illumination, or the same everywhere.
    offset_weight : float
        Weight of a patch's constant phase error, which a single frame does not
        determine.  1 is the plain mean absolute error.
    seed : int
        Of the initial weights, the order of frames and the virtual frames.
    """

    steps: Annotated[
        int,
        {
            "label": "Steps",
            "tooltip": "Optimiser steps in all (used when epochs is 0).",
            "min": 1,
            "max": 1_000_000,
            "step": 100,
        },
    ] = 1000
    epochs: Annotated[
        int,
        {
            "label": "Epochs",
            "tooltip": "Passes over the training frames; 0 to use steps.",
            "min": 0,
            "max": 100_000,
        },
    ] = 0
    batch_size: Annotated[
        int,
        {"label": "Batch size", "tooltip": "Frames per step.", "min": 1, "max": 65_536},
    ] = 32
    learning_rate: Annotated[
        float,
        {
            "label": "Learning rate",
            "tooltip": "Of the Adam optimiser, at the start.",
            "min": 1e-6,
            "max": 1.0,
            "step": 1e-4,
        },
    ] = 3e-3
    schedule: Annotated[
        Literal["linear", "plateau"],
        {
            "label": "Schedule",
            "tooltip": "linear: the rate falls to 2 % over the whole training. "
            "plateau: it is halved when the validation loss stays flat.",
        },
    ] = "linear"
    patience: Annotated[
        int,
        {
            "label": "Patience, epochs",
            "tooltip": "Flat epochs before the rate is halved (plateau).",
            "min": 1,
            "max": 1000,
        },
    ] = 5
    stop_after: Annotated[
        int,
        {
            "label": "Stop after, epochs",
            "tooltip": "End after so many epochs without a better validation loss; 0: never.",
            "min": 0,
            "max": 100_000,
        },
    ] = 0
    rescans: Annotated[
        float,
        {
            "label": "Virtual frames",
            "tooltip": "Virtual frames for each measured one, computed by scanning the "
            "reconstructed object with its probe; 0 trains on measured frames only.",
            "min": 0.0,
            "max": 20.0,
            "step": 0.5,
        },
    ] = 3.0
    loss_weight: Annotated[
        Literal["probe", "uniform"],
        {
            "label": "Loss weighting",
            "tooltip": "probe: by the illumination of the patch. uniform: the same everywhere.",
        },
    ] = "probe"
    offset_weight: Annotated[
        float,
        {
            "label": "Phase-offset weight",
            "tooltip": "Weight of the constant phase error of a patch, which a single frame does "
            "not determine; 1 as published.",
            "min": 0.0,
            "max": 1.0,
            "step": 0.05,
        },
    ] = 0.1
    seed: Annotated[
        int,
        {"label": "Seed", "tooltip": "The same seed gives the same model.", "min": 0},
    ] = 0

    def __post_init__(self) -> None:
        check_options(self)

    @classmethod
    def preset(cls, name: Preset) -> "TrainingOptions":
        """Return the options of a named recipe; 'paper' is Adam 1e-3, halved on plateau.

        Raises
        ------
        InputError
            When there is no such preset.
        """
        _require(name)
        if name == "default":
            return cls()
        return cls(
            epochs=75,
            learning_rate=1e-3,
            schedule="plateau",
            rescans=0.0,
            loss_weight="uniform",
            offset_weight=1.0,
        )


def _require(name: str) -> None:
    if name not in PRESETS:
        raise InputError(f"there is no preset '{name}'; choose one of {', '.join(PRESETS)}.")
