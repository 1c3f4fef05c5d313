"""What `info` prints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_ptychonn.io import Description, describe


def test_a_scan(write_cxi: Callable[..., Path]) -> None:
    found = describe(write_cxi())
    assert (found.kind, found.layout, found.frames, found.positions) == ("scan", "CXI", 20, 20)
    assert found.frame_shape == (16, 16)
    assert found.dtype == "uint16"
    assert found.unit == "m"
    assert found.step == pytest.approx(30e-9)
    assert found.lines == 4
    assert found.energy_kev == pytest.approx(8.8)


def test_a_product_alone_says_what_is_missing(write_product: Callable[..., Path]) -> None:
    found = describe(write_product())
    assert (found.kind, found.reconstructions) == ("reconstruction", ("/",))
    assert found.object_shape == (31, 40)
    assert "without diffraction frames" in found.notes[0]


def test_the_keys_are_all_there_and_plain(
    write_cxi: Callable[..., Path], write_product: Callable[..., Path]
) -> None:
    for path in (write_cxi(), write_product()):
        found = describe(path).as_dict()
        assert list(found) == [f.name for f in fields(Description)]
        assert json.loads(json.dumps(found)) == found


def test_every_key_is_documented() -> None:
    text = Description.__doc__ or ""
    assert [f.name for f in fields(Description) if f.name not in text] == []


def test_the_default_is_said(
    write_hdf5: Callable[..., Path], counts: NDArray[np.uint16], raster: NDArray[np.float64],
    image: NDArray[np.complex64],
) -> None:  # fmt: skip
    path = write_hdf5(
        "a.h5",
        {"frames": counts, "positions": raster, "epie/object": image, "b/object": image},
    )
    found = describe(path)
    assert found.reconstructions == ("b", "epie")
    assert found.default_reconstruction == "epie"
    assert any("epie is used" in note for note in found.notes)


def test_siemens_star(siemens_star: Path) -> None:
    found = describe(siemens_star)
    assert (found.frames, found.frame_shape, found.unit) == (516, (128, 128), "pixel")
    assert found.reconstructions == ("epie", "epie_first_387")


def test_reading_imports_neither_torch_nor_qt_nor_napari() -> None:
    code = (
        "import sys, napari_ptychonn.io as io; assert 'h5py' not in sys.modules; "
        "io.read_scan; io.describe; io.write_result; io.read_result; "
        "assert not {'torch', 'qtpy', 'napari'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
