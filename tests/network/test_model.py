import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from napari_ptychonn.data.patches import Patches
from napari_ptychonn.data.region import TrainingRegion
from napari_ptychonn.errors import InputError
from napari_ptychonn.network import model as model_module
from napari_ptychonn.network.inference.precision import Trial
from napari_ptychonn.network.inference.predictor import Predictor
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.network.options import NetworkOptions, TrainingOptions
from napari_ptychonn.network.training.epochs import train


@pytest.fixture(scope="module")
def model(toy):
    region = TrainingRegion.from_lines(toy.scan, 0, 6)
    options = TrainingOptions(epochs=1, rescans=0)
    network = NetworkOptions(width=4)
    *_, last = train(toy.scan, toy.reconstruction, region, options, network, device="cpu")
    return last.best


def predicted(model, scan, *args, **kwargs):
    return Patches.join(list(model.predict(scan, *args, device="cpu", **kwargs)))


def test_saved_and_loaded_predicts_the_same_bits(model, toy, tmp_path):
    model.save(tmp_path / "model")
    loaded = TrainedModel.load(tmp_path / "model")
    before, after = predicted(model, toy.scan), predicted(loaded, toy.scan)
    np.testing.assert_array_equal(before.phase, after.phase)
    np.testing.assert_array_equal(before.amplitude, after.amplitude)
    assert loaded.options == model.options
    assert loaded.provenance == json.loads(json.dumps(model.provenance))
    assert loaded.history == model.history
    assert loaded.unit == "m"
    assert loaded.residual_limit == model.residual_limit > 0
    np.testing.assert_array_equal(before.residual, after.residual)
    np.testing.assert_array_equal(loaded.probe, model.probe)
    np.testing.assert_array_equal(loaded.weight, model.weight)
    assert set(loaded.optimiser) == set(model.optimiser)


def test_masks_survive_saving(model, tmp_path):
    valid = np.ones((64, 64), bool)
    valid[3, 4] = False
    masked = replace(model, preprocessing=replace(model.preprocessing, valid=valid))
    masked.save(tmp_path / "model")
    np.testing.assert_array_equal(TrainedModel.load(tmp_path / "model").preprocessing.valid, valid)


def test_batches_carry_the_indices_asked_for(model, toy):
    wanted = np.array([100, 3, 50, 51, 7])
    batches = list(model.predict(toy.scan, wanted, device="cpu", batch_size=2))
    assert [len(b) for b in batches] == [2, 2, 1]
    np.testing.assert_array_equal(Patches.join(batches).indices, wanted)
    alone = predicted(model, toy.scan, np.array([50]))
    np.testing.assert_allclose(batches[1].phase[0], alone.phase[0], atol=1e-5)


def test_a_precision_once_chosen_for_many_frames_is_that_of_few(model, toy, monkeypatch):
    trials = (
        Trial(precision="float32", error=0.0, seconds=2e-4),
        Trial(precision="bfloat16", error=4e-3, seconds=1e-4),
    )
    monkeypatch.setattr(model_module, "native_precisions", lambda device: ("float32", "bfloat16"))
    monkeypatch.setattr(model_module, "compare_precisions", lambda *_: trials)
    monkeypatch.setattr(model_module, "TRIED_FROM", 20)
    fresh = replace(model)
    assert fresh.predictor("cpu", toy.scan, np.arange(3)).precision == "float32"
    many = fresh.predictor("cpu", toy.scan, np.arange(20))
    assert many.precision == "bfloat16"
    assert fresh.predictor("cpu", toy.scan, np.arange(3)) is many


def test_prediction_stops_when_asked(model, toy):
    assert list(model.predict(toy.scan, device="cpu", should_stop=lambda: True)) == []


def test_prediction_out_of_memory_halves_the_batch(model, toy, monkeypatch):
    call = Predictor.__call__
    tried = []

    def small_device(self, frames):
        tried.append(len(frames))
        if len(frames) > 16:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return call(self, frames)

    expected = predicted(model, toy.scan, batch_size=16)
    monkeypatch.setattr(Predictor, "__call__", small_device)
    result = predicted(replace(model), toy.scan, batch_size=128)
    np.testing.assert_array_equal(result.indices, expected.indices)
    np.testing.assert_allclose(result.phase, expected.phase, atol=1e-5)
    assert tried[:4] == [72, 36, 18, 9]  # two batches alike, and then half of one


def test_held_out_frames_belong_to_the_training_scan_only(model, toy, jittered):
    np.testing.assert_array_equal(model.held_out(toy.scan), np.arange(72, 144))
    assert model.held_out(jittered.scan) is None


def test_a_file_is_replaced_whole_or_not_at_all(model, tmp_path, monkeypatch):
    path = tmp_path / "model"
    model.save(path)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_ptychonn.network.model.save_file", full)
    with pytest.raises(InputError) as error:
        model.save(path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_one_sentence(model, tmp_path):
    path = tmp_path / "nowhere" / "model"
    with pytest.raises(InputError) as error:
        model.save(path)
    assert str(path) in str(error.value)


def rewritten(trained, path, **metadata):
    """Save, then change the header as a damaged or foreign file would have it."""
    trained.save(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        header = file.metadata()
    save_file(tensors, path, header | metadata)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda m, p: None, "no such model file"),
        (lambda m, p: p.write_bytes(b""), "not a readable model file"),
        (lambda m, p: p.write_bytes(b"\x80\x04pickle"), "not a readable model file"),
        (lambda m, p: p.write_bytes(b"\xff" * 200), "not a readable model file"),
        (lambda m, p: save_file({"a": torch.ones(1)}, p), "expected a file of format"),
        (lambda m, p: rewritten(m, p, model="{}"), "damaged"),
        (lambda m, p: rewritten(m, p, model="[" * 99), "damaged"),
    ],
)
def test_what_is_not_a_model_is_one_sentence(model, tmp_path, damage, says):
    path = tmp_path / "model"
    damage(model, path)
    with pytest.raises(InputError, match=says) as error:
        TrainedModel.load(path)
    assert error.value.file == path


def renumbered(number, **network):
    def change(trained, path):
        trained.save(path)
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["model"])
        header["network"] |= network
        del header["architecture"]
        if number is not None:
            header["architecture"] = number
        rewritten(trained, path, model=json.dumps(header))

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (renumbered(4), "number 4 and .* builds number 3; update napari-ptychonn"),
        (renumbered(4, colour="red"), "update napari-ptychonn"),
        (renumbered(2), "number 2 and .* builds number 3; train it again"),
        (renumbered(None, width=8), "saved before networks were numbered"),
        (renumbered(3, width=8), "damaged"),
    ],
)
def test_a_network_of_another_version_is_not_called_damaged(model, tmp_path, change, says):
    change(model, tmp_path / "model")
    with pytest.raises(InputError, match=says) as error:
        TrainedModel.load(tmp_path / "model")
    assert error.value.file == tmp_path / "model"


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [("heads", "standardized", "standardised"), ("width", 0, "1"), ("refinements", 2.5, "whole")],
)
def test_an_option_that_is_not_allowed_is_named_with_its_file(
    model, tmp_path, option, value, allowed
):
    renumbered(3, **{option: value})(model, tmp_path / "model")
    with pytest.raises(InputError) as error:
        TrainedModel.load(tmp_path / "model")
    assert option in str(error.value)
    assert error.value.file == tmp_path / "model"
    assert error.value.got == value
    assert allowed in error.value.expected


def test_a_model_saved_before_networks_were_numbered_opens_when_it_fits(model, tmp_path):
    renumbered(None)(model, tmp_path / "model")
    assert TrainedModel.load(tmp_path / "model").options == model.options


def test_weights_of_another_network_are_refused(model, tmp_path):
    replace(model, options=NetworkOptions(width=8)).save(tmp_path / "model")
    with pytest.raises(InputError, match="damaged"):
        TrainedModel.load(tmp_path / "model")


def test_patches_of_a_model_in_pixels_go_on_a_calibrated_scan(model, toy):
    in_pixels = replace(model, unit="pixel", pixel_size=(1.0, 1.0))
    assert in_pixels.pixel_size_in(toy.scan) == toy.scan.pixel_size
    assert model.pixel_size_in(toy.scan) == model.pixel_size
    with pytest.raises(InputError, match="unknown pixel size"):
        in_pixels.pixel_size_in(replace(toy.scan, pixel_size=None))
