"""Masks by their defect bits, types and conventions, and inverted ones noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_ptychonn.io import read_scan
from napari_ptychonn.io.readers.masks import CXI_DEFECTS

Write = Callable[..., Path]
MASK = "entry_1/instrument_1/detector_1/mask"
BAD = [[3, 4], [10, 2]]
INFORMATION = [bit for bit in (1 << n for n in range(31)) if not bit & CXI_DEFECTS]
DEFECTS = [bit for bit in (1 << n for n in range(31)) if bit & CXI_DEFECTS]
FEW = settings(
    max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@pytest.fixture
def frames(counts: Any) -> Any:
    """Frames with a bright beam in the middle, as diffraction has."""
    beam = np.hypot(*(np.mgrid[:16, :16] - 8)) < 4
    return counts + np.where(beam, 500, 0).astype(counts.dtype)


def masked(scan: Any) -> Any:
    return [] if scan.valid is None else np.argwhere(~scan.valid).tolist()


@FEW
@given(
    information=st.sets(st.sampled_from(INFORMATION), min_size=1, max_size=4),
    defects=st.sets(st.sampled_from(DEFECTS), min_size=1, max_size=3),
    order=st.sampled_from("<>"),
)
def test_only_defect_bits_of_cxi_mask(
    write_cxi: Write, frames: Any, information: set[int], defects: set[int], order: str
) -> None:
    mask = np.full((16, 16), sum(information), f"{order}u4")
    for place in BAD:
        mask[*place] |= sum(defects)
    changes = {MASK: mask, "entry_1/instrument_1/detector_1/data": frames}
    scan = read_scan(write_cxi(**changes))
    assert masked(scan) == BAD
    assert scan.warnings == ()


@FEW
@given(
    kind=st.sampled_from(["bool", "u1", ">u2", "<i4", "f4", "f8", "nan"]),
    inverted=st.booleans(),
)
def test_an_inverted_mask_is_noticed(
    write_cxi: Write, frames: Any, kind: str, inverted: bool
) -> None:
    bad = np.zeros((16, 16), bool)
    bad[tuple(np.transpose(BAD))] = True
    if kind == "nan":
        mask, inverted = np.where(bad, np.nan, 1.0), False
    else:
        mask = (bad ^ inverted).astype(kind)
    changes = {MASK: mask, "entry_1/instrument_1/detector_1/data": frames}
    scan = read_scan(write_cxi(**changes))
    assert masked(scan) == BAD
    assert [MASK in warning for warning in scan.warnings] == [True] * inverted


def test_a_mask_of_everything_masks_nothing(write_cxi: Write, frames: Any) -> None:
    mask = np.ones((16, 16), np.uint8)
    changes = {MASK: mask, "entry_1/instrument_1/detector_1/data": frames}
    scan = read_scan(write_cxi(**changes))
    assert scan.valid is None
    assert "256 of 256" in scan.warnings[0]
