"""What a user can choose about a reconstruction; form and help texts are made from it.

No ``from __future__ import annotations`` here: magicgui would lose the ranges.
This module imports no torch, so that a form is there at once.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from napari_ptychonn.validation import check_options

Algorithm = Literal["epie", "rpie", "lsqml"]

ALGORITHMS: dict[Algorithm, str] = {"epie": "ePIE", "rpie": "rPIE", "lsqml": "LSQML"}
"""What each is called on screen and in files."""


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How an object is reconstructed.

    Attributes
    ----------
    algorithm : {'epie', 'rpie', 'lsqml'}
        The paper's ePIE (Maiden & Rodenburg 2009); its regularised form rPIE
        (Maiden et al. 2017), which holds at larger steps; or least-squares
        maximum likelihood (Odstrčil et al. 2018).
    iterations : int
        Passes over the frames.
    modes : int
        Incoherent probe modes; 0 for as many as the first probe has, which is
        one where it is estimated.
    position_correction : bool
        Refine the scan positions from the tenth iteration on, by at most a
        tenth of a pixel per iteration.
    first_probe : {'known', 'estimated'}
        Begin with the probe that came with the start or the scan, or with one
        estimated from the mean frame.  Without a known one it is estimated.
    batch_size : int
        Frames that update the object at once; 0 for as many as compute fast and
        do not crowd each other on the sample.
    fixed_probe : int
        Iterations before the probe is refined too.
    threads : int
        CPU threads; 0 for the number that was fastest.
    seed : int
        Of the order in which frames are visited.
    """

    algorithm: Annotated[
        Algorithm,
        {
            "label": "Algorithm",
            "tooltip": "epie: as in the paper. rpie: the same, regularised; holds at larger steps. "
            "lsqml: least squares with computed step sizes.",
        },
    ] = "epie"
    iterations: Annotated[
        int,
        {
            "label": "Iterations",
            "tooltip": "Passes over the frames.",
            "min": 1,
            "max": 100_000,
            "step": 10,
        },
    ] = 100
    modes: Annotated[
        int,
        {
            "label": "Probe modes",
            "tooltip": "Incoherent modes of the beam; 0: as many as the first probe has.",
            "min": 0,
            "max": 32,
        },
    ] = 0
    position_correction: Annotated[
        bool,
        {
            "label": "Correct positions",
            "tooltip": "Refine the scan positions too, from the tenth iteration on.",
        },
    ] = False
    first_probe: Annotated[
        Literal["known", "estimated"],
        {
            "label": "First probe",
            "tooltip": "known: the one that came with the scan or the reconstruction gone on with, "
            "where there is one. estimated: from the mean frame.",
        },
    ] = "known"
    batch_size: Annotated[
        int,
        {
            "label": "Batch size",
            "tooltip": "Frames that update the object at once; 0: chosen.",
            "min": 0,
            "max": 10_000,
        },
    ] = 0
    fixed_probe: Annotated[
        int,
        {
            "label": "Probe fixed for",
            "tooltip": "Iterations before the probe is refined too.",
            "min": 0,
            "max": 100_000,
        },
    ] = 1
    threads: Annotated[
        int,
        {"label": "CPU threads", "tooltip": "0: chosen.", "min": 0, "max": 1024},
    ] = 0
    seed: Annotated[
        int,
        {"label": "Seed", "tooltip": "Of the order in which frames are visited.", "min": 0},
    ] = 0

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def title(self) -> str:
        """The algorithm's name on screen and in files."""
        return ALGORITHMS[self.algorithm]
