"""Speed-up of a prediction over an iterative reconstruction, both measured."""

from __future__ import annotations

from dataclasses import dataclass

from napari_ptychonn.data.formatting import format_count

PAPER_ITERATIONS = 400
"""Iterations of the reconstruction in Cherukara et al. 2020."""


@dataclass(frozen=True, kw_only=True)
class SpeedUp:
    """Measured times of a prediction and of a reconstruction.

    Attributes
    ----------
    prediction_seconds : float
        Predicting and stitching, without imports.
    prediction_frames : int
        Predicted in that time.
    reconstruction_seconds : float
        Iterations, without imports and set-up.
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
        """Time of `PAPER_ITERATIONS` iterations on the predicted number of frames."""
        one = self.reconstruction_seconds / (self.measured_iterations * self.reconstruction_frames)
        return one * PAPER_ITERATIONS * self.prediction_frames

    @property
    def factor(self) -> float:
        """Ratio of the scaled time to that of the prediction."""
        return self.scaled_seconds / self.prediction_seconds

    @property
    def sentence(self) -> str:
        """Summary with the scaling, as one line."""
        scaled = []
        if self.measured_iterations != PAPER_ITERATIONS:
            scaled.append(format_count(self.measured_iterations, "iteration"))
        if self.reconstruction_frames != self.prediction_frames:
            scaled.append(format_count(self.reconstruction_frames, "frame"))
        took = "would take" if scaled else "took"
        summary = (
            f"Prediction of {format_count(self.prediction_frames, 'frame')} took "
            f"{_seconds(self.prediction_seconds)}; {PAPER_ITERATIONS} iterations of "
            f"{self.algorithm} {took} {_seconds(self.scaled_seconds)}: {_round(self.factor)}×"
        )
        if not scaled:
            return f"{summary}."
        measured = f"{' of '.join(scaled)} measured in {_seconds(self.reconstruction_seconds)}"
        return f"{summary} (scaled from {measured})."


def _seconds(value: float) -> str:
    return f"{_round(value)} s"


def _round(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"
