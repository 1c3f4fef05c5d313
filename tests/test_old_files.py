"""Files written by release 0.1.0 open and hold the same values; its names and options exist.

They were made by `tests/fixtures/write_version_0_1.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import napari_ptychonn
from napari_ptychonn import (
    TrainedModel,
    TrainingOptions,
    TrainingRegion,
    read_reconstruction,
    read_result,
    read_scan,
    train,
)

OLD = Path(__file__).parent / "fixtures" / "version-0.1"
VALUES: dict[str, Any] = json.loads((OLD / "values.json").read_text(encoding="utf-8"))
API: dict[str, Any] = json.loads((OLD / "api.json").read_text(encoding="utf-8"))
# Old names work for one version; that they warn is tested where they are.
pytestmark = pytest.mark.filterwarnings("ignore:.* is now :DeprecationWarning")
MODELS = ("model-default", "model-paper", "draft")


@pytest.fixture(scope="module")
def arrays() -> dict[str, Any]:
    with np.load(OLD / "arrays.npz") as stored:
        return dict(stored)


class TestModels:
    @pytest.mark.parametrize("name", MODELS)
    def test_predictions(self, name: str, arrays: dict[str, Any]) -> None:
        scan, model = read_scan(OLD / "scan.cxi"), TrainedModel.load(OLD / f"{name}.safetensors")
        predicted = list(model.predict(scan, np.arange(0, 64, 16), device="cpu"))
        for kind in ("amplitude", "phase"):
            values = np.concatenate([getattr(p, kind) for p in predicted])
            np.testing.assert_allclose(values, arrays[f"{name}/{kind}"], atol=1e-4)

    @pytest.mark.parametrize("name", MODELS)
    def test_what_is_stored_with_the_weights(self, name: str) -> None:
        model, stored = TrainedModel.load(OLD / f"{name}.safetensors"), VALUES[name]
        held_out = model.held_out(read_scan(OLD / "scan.cxi"))
        assert held_out is not None
        assert held_out.tolist() == stored["held_out"] == list(range(40, 64))
        assert list(model.history) == stored["history"]
        assert stored["options"].items() <= asdict(model.options).items()
        assert stored["provenance"].items() <= model.provenance.items()
        assert list(model.patch_shape) == stored["patch_shape"]
        assert list(model.pixel_size) == stored["pixel_size"]
        assert (model.unit, model.residual_limit) == (stored["unit"], stored["residual_limit"])

    def test_training_goes_on(self) -> None:
        """The draft has Adam's moments."""
        scan, model = read_scan(OLD / "scan.cxi"), TrainedModel.load(OLD / "draft.safetensors")
        assert model.optimiser
        *_, last = train(
            scan,
            read_reconstruction(OLD / "reconstruction.h5"),
            TrainingRegion.from_indices(scan, slice(0, 40)),
            TrainingOptions(epochs=1, batch_size=16),
            device="cpu",
            resume=model,
        )
        assert len(last.best.history) == len(model.history) + 1
        assert np.isfinite(last.train_loss)


def test_result(arrays: dict[str, Any]) -> None:
    result, stored = read_result(OLD / "result.h5"), VALUES["result"]
    for kind in ("amplitude", "phase", "weight", "spread"):
        np.testing.assert_array_equal(
            getattr(result.mosaic, kind), arrays[f"result/mosaic/{kind}"], err_msg=kind
        )
    some = slice(0, None, 8)
    np.testing.assert_array_equal(result.predictions.indices, arrays["result/indices"])
    np.testing.assert_array_equal(result.predictions.amplitude[some], arrays["result/amplitude"])
    np.testing.assert_array_equal(result.predictions.phase[some], arrays["result/phase"])
    np.testing.assert_allclose(result.positions, arrays["result/positions"], rtol=1e-12)
    np.testing.assert_array_equal(result.probe, arrays["result/probe"])
    assert result.held_out is not None
    assert result.held_out.tolist() == stored["held_out"]
    assert (result.name, result.unit) == (stored["name"], stored["unit"])
    assert result.mosaic.origin == pytest.approx(stored["origin"], rel=1e-12)
    assert result.mosaic.pixel_size == pytest.approx(stored["pixel_size"], rel=1e-12)


@pytest.mark.parametrize("name", ["reconstruction", "training-data"])
def test_reconstruction(name: str, arrays: dict[str, Any]) -> None:
    read, stored = read_reconstruction(OLD / f"{name}.h5"), VALUES[name]
    for kind in ("object", "probe"):
        np.testing.assert_array_equal(getattr(read, kind), arrays[f"{name}/{kind}"])
    assert read.positions is not None
    np.testing.assert_allclose(read.positions, arrays[f"{name}/positions"], rtol=1e-12)
    assert read.indices is not None
    assert read.indices.tolist() == stored["indices"]
    assert read.origin == pytest.approx(stored["origin"], rel=1e-12)
    assert read.pixel_size == pytest.approx(stored["pixel_size"], rel=1e-12)
    names = (read.algorithm, read.name, read.unit)
    assert names == (stored["algorithm"], stored["name"], stored["unit"])


def test_training_data_has_the_frames(arrays: dict[str, Any]) -> None:
    scan = read_scan(OLD / "training-data.h5")
    np.testing.assert_array_equal(scan.frames[:], arrays["training-data/frames"])
    np.testing.assert_array_equal(scan.frames[:], read_scan(OLD / "scan.cxi").frames[:16])
    np.testing.assert_allclose(scan.positions, arrays["training-data/scan_positions"], rtol=1e-12)


@pytest.mark.skipif(sys.platform != "linux", reason="the settings folder is moved by XDG_* here")
class TestSettingsFolder:
    """What release 0.1.0 left in a user's folders is found there, by a program started anew."""

    @staticmethod
    def run(code: str, environment: dict[str, str]) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)

    def test_layout(self, tmp_path: Path) -> None:
        """Positions in micrometres, x first, y flipped; energy, second path, and a constant."""
        folder = tmp_path / "napari-ptychonn" / "layouts"
        folder.mkdir(parents=True)
        (folder / "Our_endstation_run_3.json").write_bytes((OLD / "layout.json").read_bytes())
        code = (
            "import json, napari_ptychonn as n\n"
            "from napari_ptychonn.io import describe\n"
            f"path = {str(OLD / 'layout-scan.h5')!r}\n"
            "s = n.read_scan(path)\n"
            "print(json.dumps([describe(path).layout, s.positions.tolist(), s.optics.energy_kev,"
            " s.optics.detector_distance, s.optics.detector_pitch]))"
        )
        layout, positions, energy, distance, pitch = self.run(
            code, {"XDG_CONFIG_HOME": str(tmp_path)}
        )
        assert layout == "Our endstation / run 3"
        rows, columns = np.divmod(np.arange(12.0), 4)
        expected = 1e-6 * np.stack([-0.5 * rows, columns + 0.1 * rows], axis=1)
        np.testing.assert_allclose(positions, expected, atol=1e-15)
        assert energy == pytest.approx(8.8)
        assert distance == pytest.approx(1.92)
        assert pitch == pytest.approx([75e-6, 75e-6])

    def test_draft(self, tmp_path: Path) -> None:
        folder = tmp_path / "napari-ptychonn" / "drafts"
        folder.mkdir(parents=True)
        name = "20260301-120000-000000-scan.safetensors"
        (folder / name).write_bytes((OLD / "draft.safetensors").read_bytes())
        code = (
            "import json\n"
            "from napari_ptychonn.app import autosave\n"
            "print(json.dumps([[d.path.name, d.scan, d.epochs] for d in autosave.drafts()]))"
        )
        assert self.run(code, {"XDG_STATE_HOME": str(tmp_path)}) == [[name, "scan", 1]]


class TestNames:
    @pytest.mark.parametrize("name", API["names"])
    def test_public(self, name: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            assert getattr(napari_ptychonn, name) is not None

    @pytest.mark.parametrize("name", API["commands"])
    def test_commands_and_options(self, name: str) -> None:
        import typer

        from napari_ptychonn.__main__ import main

        app = typer.main.get_command(sys.modules[main.__module__].app)
        current = app.commands[name]  # type: ignore[attr-defined]
        stored = API["commands"][name]
        nested = hasattr(current, "commands")
        pairs = (
            [(stored[n], current.commands[n]) for n in stored] if nested else [(stored, current)]
        )
        for options, command in pairs:
            known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
            assert {o for names in options.values() for o in names} <= known

    def test_manifest(self) -> None:
        manifest = yaml.safe_load(files("napari_ptychonn").joinpath("napari.yaml").read_text())
        ids = {command["id"] for command in manifest["contributions"]["commands"]}
        assert ids >= set(API["manifest"])
