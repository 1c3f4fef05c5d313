"""The manifest, and what it points to."""

import subprocess
import sys
from pathlib import Path

import h5py
import npe2
import numpy as np
import pytest

import napari_ptychonn
from napari_ptychonn import _manifest as contributions
from napari_ptychonn._manifest import get_reader, read_layers, write_layers
from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.data.patches import Predictions
from napari_ptychonn.data.result import Result
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_reconstruction, read_result
from napari_ptychonn.io.writers.formats import EXCHANGE
from napari_ptychonn.stitching.mosaic import MosaicImage
from napari_ptychonn.viewer.layers import OPENED
from napari_ptychonn.viewer.view_model import result_layers

MANIFEST = Path(napari_ptychonn.__file__).with_name("napari.yaml")


@pytest.fixture
def said(monkeypatch):
    """What the user was told."""
    sentences = []
    monkeypatch.setattr("napari.utils.notifications.show_error", sentences.append)
    return sentences


@pytest.fixture
def result():
    image = np.ones((8, 8), np.float32)
    mosaic = MosaicImage(
        amplitude=image,
        phase=image,
        weight=image,
        overlap_std=image,
        pixel_size=(1e-8, 1e-8),
        origin=(0.0, 0.0),
    )
    patches = Predictions(indices=np.array([0]), amplitude=image[None], phase=image[None])
    return Result(predictions=patches, positions=np.zeros((1, 2)), mosaic=mosaic, unit="m")


def test_the_manifest_is_valid_and_everything_it_names_exists():
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert len(manifest.contributions.readers) == 1, "of two, napari would pick one at random"


def test_importing_the_contributions_imports_neither_torch_nor_qt():
    program = (
        "import sys, napari_ptychonn._manifest\n"
        "print(sorted({'torch', 'qtpy', 'napari', 'h5py'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.stdout.strip() == "[]", ended.stderr


def test_a_scan_is_read(toy, tmp_path):
    path = write_scan(tmp_path / "scan.h5", toy.scan, toy.reconstruction)
    reader = get_reader(str(path))
    layers = reader([str(path)])
    assert {kind for _, _, kind in layers} == {"image"}
    assert layers[0][1]["metadata"][OPENED].scan is not None


@pytest.mark.parametrize(("name", "content"), [("a.npy", b"plain text"), ("b.bz2", b"\0\1\2\3")])
def test_what_is_not_ours_is_left_to_others(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert get_reader(str(tmp_path / name)) is None


def test_folders_and_missing_files_are_left_to_others(tmp_path):
    assert get_reader(str(tmp_path)) is None
    assert get_reader(str(tmp_path / "missing.h5")) is None


def test_a_damaged_file_is_one_sentence_and_no_layer(tmp_path, said):
    path = tmp_path / "cut.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    assert get_reader(str(path)) is not None
    assert read_layers(str(path)) == [(None,)]
    assert len(said) == 1
    assert "cut.h5" in said[0]


def test_an_empty_file_of_our_kind_is_not_met_with_silence(tmp_path, said):
    path = tmp_path / "empty.h5"
    path.touch()
    get_reader(str(path))(str(path))
    assert len(said) == 1


def test_a_file_without_frames_says_so(tmp_path, said):
    path = tmp_path / "table.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    assert read_layers(str(path)) == [(None,)]
    assert len(said) == 1


def test_mosaics_are_written_as_the_result_they_belong_to(result, tmp_path):
    path = str(tmp_path / "result.h5")
    assert write_layers(path, result_layers(result)) == [path]
    np.testing.assert_array_equal(read_result(path).mosaic.phase, result.mosaic.phase)


@pytest.mark.parametrize("ending", [".cxi", ".nxs", ".ptyr", ".npz"])
def test_mosaics_are_written_for_other_programs(ending, result, tmp_path):
    path = str(tmp_path / f"mosaic{ending}")
    assert write_layers(path, result_layers(result)) == [path]
    assert read_reconstruction(path).object.shape == (8, 8)


def test_the_manifest_offers_every_form_that_is_one_file():
    manifest = npe2.PluginManifest.from_file(MANIFEST)
    (writer,) = manifest.contributions.writers
    # .tiff is left to napari itself: it writes any image, this only mosaics.
    assert {*writer.filename_extensions} == {".h5", ".hdf5", *EXCHANGE} - {".tif", ".tiff"}


def test_a_reconstruction_is_written_too(toy, tmp_path):
    path = write_scan(tmp_path / "scan.h5", toy.scan, toy.reconstruction)
    layers = get_reader(str(path))([str(path)])
    written = write_layers(str(tmp_path / "object.cxi"), layers)
    back = read_reconstruction(written[0])
    np.testing.assert_allclose(back.object, toy.reconstruction.object, atol=1e-6)


def test_other_layers_cannot_be_written_as_a_result(tmp_path):
    with pytest.raises(InputError, match="predict first"):
        write_layers(str(tmp_path / "x.h5"), [(np.zeros((2, 2)), {"metadata": {}}, "image")])


def test_the_simulated_sample_is_there_without_a_network():
    layers = contributions.simulated_scan()
    assert [options["name"] for _, options, _ in layers][-1] == "diffraction"


def test_the_siemens_star_is_read_once_it_is_there(real_data, monkeypatch):
    path = real_data / "siemens-star" / "siemens-star-small.npz.bz2"
    monkeypatch.setattr("pooch.retrieve", lambda *_, **__: str(path))
    layers = contributions.siemens_star()
    assert layers[0][0].shape == (516, 128, 128)


def test_offline_the_siemens_star_is_one_sentence(monkeypatch, said):
    def refuse(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("pooch.retrieve", refuse)
    assert contributions.siemens_star() == []
    assert "internet connection" in said[0]
