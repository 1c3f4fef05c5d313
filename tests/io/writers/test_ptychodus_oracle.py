"""Files written for ptychodus, read by ptychodus itself in an environment of its own.

`make ptychodus` makes the environment; NAPARI_PTYCHONN_PTYCHODUS names the interpreter of another.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_ptychonn.data.patches import Predictions
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Optics, Scan
from napari_ptychonn.io import write_result, write_training_data
from napari_ptychonn.stitching.mosaic import MosaicImage

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "tests" / "fixtures" / "read_with_ptychodus.py"
ORIGIN = (3.2e-7, -1.1e-7)

Known = Any
Arrays = Mapping[str, np.ndarray]


@pytest.fixture(scope="session")
def interpreter() -> str:
    """Interpreter of the environment that has ptychodus; the test skips where there is none."""
    if named := os.environ.get("NAPARI_PTYCHONN_PTYCHODUS"):
        return named
    for path in ("bin/python", "Scripts/python.exe"):
        if (found := ROOT / ".venv-ptychodus" / path).exists():
            return str(found)
    pytest.skip("needs ptychodus: run make ptychodus, or set NAPARI_PTYCHONN_PTYCHODUS")


@pytest.fixture
def read_with_ptychodus(interpreter: str, tmp_path: Path) -> Callable[[Path, str], Arrays]:
    def read(file: Path, reader: str) -> Arrays:
        output = tmp_path / "found.npz"
        # Nothing of this environment may reach the other one.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        ended = subprocess.run(
            [interpreter, str(SCRIPT), str(file), reader, str(output)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        with np.load(output) as found:
            return dict(found)

    return read


@pytest.mark.parametrize("reader", ["h5", "cxi", "npz"])
def test_ptychodus_shows_the_same_object_at_the_same_place(
    reader: str,
    known: Known,
    tmp_path: Path,
    read_with_ptychodus: Callable[[Path, str], Arrays],
) -> None:
    """The oracle: its own readers and its own way from positions to object pixels."""
    result = _result(known)
    path = tmp_path / f"star.{reader}"
    write_result(path, result)
    found = read_with_ptychodus(path, reader)
    expected = known.image.copy()
    expected[0, 0] = 1  # the hole
    np.testing.assert_allclose(found["object"], expected, atol=1e-6)
    corners = known.corners[result.predictions.indices]
    np.testing.assert_allclose(found["middles"], corners + 7.5, atol=1e-3)
    np.testing.assert_array_equal(found["indices"], result.predictions.indices)
    np.testing.assert_array_equal(found["probe"][0], known.probe)
    assert found["photon_energy_ev"] == pytest.approx(known.energy_ev)
    assert found["detector_distance"] == pytest.approx(known.distance)


def test_ptychodus_reads_training_data(
    known: Known, tmp_path: Path, read_with_ptychodus: Callable[[Path, str], Arrays]
) -> None:
    """In ptychodus' pixels the middle of each window is where its corner says."""
    path = write_training_data(tmp_path / "training.h5", _scan(known), _reconstruction(known))
    found = read_with_ptychodus(path, "training")
    np.testing.assert_allclose(found["middles"], known.corners + 7.5, atol=1e-3)
    np.testing.assert_array_equal(found["object"], known.image)
    assert found["photon_energy_ev"] == pytest.approx(known.energy_ev)


def _result(known: Known) -> Result:
    """A mosaic of the known object with a hole, over frames 3, 5, 7 and so on."""
    amplitude, phase = np.abs(known.image), np.angle(known.image)
    amplitude[0, 0] = phase[0, 0] = np.nan
    indices = np.arange(3, 20, 2)
    patches = np.ones((len(indices), 8, 8), np.float32)
    return Result(
        predictions=Predictions(indices=indices, amplitude=patches, phase=patches),
        positions=known.metres[indices] + np.asarray(ORIGIN),
        mosaic=MosaicImage(
            amplitude=amplitude,
            phase=phase,
            weight=np.ones_like(amplitude),
            overlap_std=np.ones_like(amplitude),
            pixel_size=(known.pixel, known.pixel),
            origin=ORIGIN,
        ),
        unit="m",
        probe=known.probe,
        optics=Optics.from_energy(
            known.energy_ev,
            detector_distance=known.distance,
            detector_pitch=(known.pitch, known.pitch),
        ),
        name="star",
    )


def _scan(known: Known) -> Scan:
    return Scan(
        frames=known.frames,
        positions=known.metres + np.array([1e-7, 5e-7]),
        unit="m",
        pixel_size=(known.pixel, known.pixel),
        optics=Optics.from_energy(known.energy_ev, detector_distance=known.distance),
    )


def _reconstruction(known: Known) -> Reconstruction:
    return Reconstruction(
        object=known.image,
        probe=known.probe,
        pixel_size=(known.pixel, known.pixel),
        origin=ORIGIN,
        unit="m",
        indices=np.arange(20),
        positions=known.metres + np.asarray(ORIGIN),
        name="star",
    )
