import pytest

from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import write_reconstruction, write_result
from napari_ptychonn.tasks.events import Loaded, NotRecognised
from napari_ptychonn.tasks.load import LoadTask, SimulateTask, load_file
from napari_ptychonn.tasks.predict import PredictTask
from napari_ptychonn.tasks.save import SaveTask


def load(path, **options):
    (event,) = LoadTask(path=str(path), **options).run()
    return event


def test_each_kind_of_file_is_loaded_as_what_it_is(small, model, tmp_path):
    *_, last = PredictTask(scan=small.scan, model=model, device="cpu").run()
    scan = load(write_scan(tmp_path / "scan.h5", small.scan, small.reconstruction))
    assert len(scan.scan) == len(small.scan)
    assert scan.reconstruction is not None
    assert scan.reconstruction_names == ("degraded_truth",)
    model.save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").model.history == model.history
    write_result(tmp_path / "result.h5", last.result)
    assert len(load(tmp_path / "result.h5").result.predictions) == len(small.scan)
    write_reconstruction(tmp_path / "object.h5", small.reconstruction)
    loaded = load(tmp_path / "object.h5")
    assert loaded.reconstruction.object.shape == small.reconstruction.object.shape
    assert (loaded.scan, loaded.model, loaded.result) == (None, None, None)


def test_a_file_that_is_not_hdf5_is_an_input_error(tmp_path):
    (tmp_path / "notes.h5").write_text("not HDF5")
    with pytest.raises(InputError, match=r"notes\.h5"):
        load_file(tmp_path / "notes.h5")
    with pytest.raises(InputError, match=r"notes\.h5"):
        load(tmp_path / "notes.h5")


def test_datasets_of_no_known_layout_are_left_to_the_import_dialog(tmp_path):
    import h5py
    import numpy as np

    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file["a/b"] = np.zeros((3, 4))
    event = load(tmp_path / "odd.h5")
    assert isinstance(event, NotRecognised)
    assert event.path.name == "odd.h5"
    assert "odd.h5" in event.reason
    assert not event.has_reconstruction


def test_the_simulated_sample_has_a_reconstruction():
    (event,) = SimulateTask(points=(5, 4)).run()
    assert isinstance(event, Loaded)
    assert len(event.scan) == 20
    assert event.reconstruction is not None
    with pytest.raises(InputError) as caught:
        SimulateTask(points=(0, 4))
    assert caught.value.got == (0, 4)


def test_saving_names_the_file(small, tmp_path):
    path = str(tmp_path / "object.h5")
    (event,) = SaveTask(
        path=path, write=lambda file: write_reconstruction(file, small.reconstruction)
    ).run()
    assert str(event.path) == path
    assert event.path.exists()
