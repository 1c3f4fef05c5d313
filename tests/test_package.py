"""What importing the package costs, and what it offers."""

import subprocess
import sys
from importlib import import_module

import pytest

import napari_ptychonn


def test_importing_the_package_imports_neither_torch_nor_qt():
    program = (
        "import sys, napari_ptychonn\n"
        "names = dir(napari_ptychonn)\n"
        "heavy = {'torch', 'qtpy', 'PyQt6', 'PySide6', 'napari', 'numpy', 'matplotlib', 'h5py'}\n"
        "print(sorted(heavy & set(sys.modules)), 'train' in names)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.stdout.strip() == "[] True", ended.stderr


@pytest.mark.parametrize("name", napari_ptychonn.__all__)
def test_every_public_name_resolves(name):
    assert getattr(napari_ptychonn, name) is not None
    assert name in dir(napari_ptychonn)


PROMISED = {
    "Mosaic",
    "NetworkOptions",
    "TrainedModel",
    "TrainingOptions",
    "TrainingRegion",
    "compare",
    "read_reconstruction",
    "read_scan",
    "simulate_scan",
    "train",
}


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_what_the_design_promises_is_public_under_its_own_name(name):
    assert name in napari_ptychonn.__all__
    assert getattr(napari_ptychonn, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        napari_ptychonn.nonsense  # noqa: B018


def test_submodules_are_not_hidden():
    assert import_module("napari_ptychonn.network.training.epochs").train is napari_ptychonn.train
