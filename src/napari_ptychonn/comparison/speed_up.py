"""How much sooner a prediction is there than an iterative reconstruction, both measured."""

from __future__ import annotations

from dataclasses import dataclass

PAPER_ITERATIONS = 400
"""What Cherukara et al. 2020 compare with."""


@dataclass(frozen=True, kw_only=True)
class SpeedUp:
    """Seconds of a prediction and of a reconstruction, as measured.

    Attributes
    ----------
    prediction_seconds : float
        Predicting and stitching, imports not counted.
    prediction_frames : int
        Predicted in that time.
    reconstruction_seconds : float
        Computing the iterations, imports and set-up not counted.
    reconstruction_frames : int
        Reconstructed in that time.
    measured_iterations : int
        Computed in that time.
    algorithm : str
        Of the reconstruction.
    """

    prediction_seconds: float
    prediction_frames: int
    reconstruction_seconds: float
    reconstruction_frames: int
    measured_iterations: int
    algorithm: str = "ePIE"

    @property
    def scaled_seconds(self) -> float:
        """What `PAPER_ITERATIONS` iterations on as many frames as were predicted would take."""
        one = self.reconstruction_seconds / (self.measured_iterations * self.reconstruction_frames)
        return one * PAPER_ITERATIONS * self.prediction_frames

    @property
    def factor(self) -> float:
        """How many times sooner."""
        return self.scaled_seconds / self.prediction_seconds

    @property
    def sentence(self) -> str:
        """One line for a person, which says what was scaled."""
        scaled = []
        if self.measured_iterations != PAPER_ITERATIONS:
            scaled.append(f"{self.measured_iterations} iterations")
        if self.reconstruction_frames != self.prediction_frames:
            scaled.append(f"{self.reconstruction_frames} frames")
        took = "would take" if scaled else "took"
        told = (
            f"Prediction of {self.prediction_frames} frames took "
            f"{_seconds(self.prediction_seconds)}; {PAPER_ITERATIONS} iterations of "
            f"{self.algorithm} {took} {_seconds(self.scaled_seconds)}: {_round(self.factor)}×"
        )
        if not scaled:
            return f"{told}."
        measured = f"{' of '.join(scaled)} measured in {_seconds(self.reconstruction_seconds)}"
        return f"{told} (scaled from {measured})."


def _seconds(value: float) -> str:
    return f"{_round(value)} s"


def _round(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"
