"""What a user can choose about network and training; forms and help texts are made from it.

No ``from __future__ import annotations`` here: magicgui would lose the ranges.
This module imports no torch, so that a form is there at once.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from napari_ptychonn.deprecation import RenamedAttribute
from napari_ptychonn.errors import InputError
from napari_ptychonn.validation import check_options

Preset = Literal["default", "paper", "paper-keras"]
"""'default' trains from a few hundred frames; the other two are as published in 2020."""

PRESETS: tuple[Preset, ...] = ("default", "paper", "paper-keras")


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """The network and what it is fed.

    Attributes
    ----------
    size : int
        Edge of input frame and predicted patch, pixels; a multiple of 8.
    scaling : {'amplitude', 'sqrt', 'raw'}
        Input: square roots of the counts of the whole frame, seen through the
        probe (needs one); mean-binned square roots over their spread; or
        mean-binned counts.
    refinements : int
        Times that a prediction is corrected by what its own far field leaves
        unexplained, for 'amplitude' only.
    width : int
        Channels after the first convolution; they double at each of three levels.
    normalisation : {'batch', 'none'}
        Batch normalisation after each hidden convolution.
    upsampling : {'bilinear', 'nearest'}
        In the decoders.
    last_width : int
        Channels of each decoder's last level, in units of `width`.
    heads : {'standardised', 'sigmoid-tanh', 'linear'}
        Outputs: linear around the training labels' mean and spread; amplitude
        in 0…1 and phase in −π…π; or linear as they are.
    """

    size: Annotated[
        int,
        {
            "label": "Patch, px",
            "tooltip": "Edge of the frame fed in and of the patch predicted, in pixels.",
            "min": 16,
            "max": 4096,
            "step": 16,
        },
    ] = 64
    scaling: Annotated[
        Literal["amplitude", "sqrt", "raw"],
        {
            "label": "Frames seen as",
            "tooltip": "amplitude: far-field amplitudes, brought back to the sample by the probe. "
            "sqrt: square roots of the counts, so that weak features count too. "
            "raw: the counts themselves, as published.",
        },
    ] = "amplitude"
    refinements: Annotated[
        int,
        {
            "label": "Refinements",
            "tooltip": "Times that a prediction is corrected by what its own diffraction leaves "
            "unexplained (amplitude only).",
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
            "tooltip": "Batch normalisation lets the network learn from few frames.",
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
        """Whether the network sees frames through the probe."""
        return self.scaling == "amplitude"

    def without_probe(self) -> "NetworkOptions":
        """Return the options that come nearest for a scan without a probe.

        Twice as wide, for nothing refines what it predicts.
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
    """How the weights are fitted: mean absolute error, Adam, best validation kept.

    Attributes
    ----------
    steps : int
        Optimiser steps in all, when `epochs` is 0: a budget of time that suits
        100 frames and 16,000 alike.
    epochs : int
        Passes over the training frames; 0 to go by `steps`.
    batch_size : int
        Frames per step.
    learning_rate : float
        Of Adam, at the start.
    schedule : {'linear', 'plateau'}
        'linear' falls to 2 % over the whole budget; 'plateau' halves after
        `patience` epochs without a better validation loss, down to a tenth.
    patience : int
        See `schedule`.
    stop_after : int
        End after so many epochs without a better validation loss; 0 never.
    rescans : float
        Virtual frames for each measured one, made by scanning the
        reconstructed object with the reconstructed probe; needs a probe.
    loss_weight : {'probe', 'uniform'}
        Where in the patch the error counts: where the beam was, or everywhere.
    offset_weight : float
        How much of a patch's constant phase error counts: a single frame does
        not tell it.  1 is the plain mean absolute error.
    seed : int
        Of the weights, the order of frames and the virtual frames.
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
            "tooltip": "Passes over the training frames; 0 to go by steps.",
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
            "tooltip": "Virtual frames for each measured one, made by re-scanning the "
            "reconstructed object with its probe; 0 trains on measured frames only.",
            "min": 0.0,
            "max": 20.0,
            "step": 0.5,
        },
    ] = 3.0
    loss_weight: Annotated[
        Literal["probe", "uniform"],
        {
            "label": "Error counts",
            "tooltip": "probe: where the beam lit the patch. uniform: everywhere in the patch.",
        },
    ] = "probe"
    offset_weight: Annotated[
        float,
        {
            "label": "Phase offset counts",
            "tooltip": "How much of the constant phase error of a patch counts. A single frame "
            "does not tell this constant; 1 counts it in full, as published.",
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
