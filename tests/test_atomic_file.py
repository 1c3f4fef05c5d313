"""A write that fails leaves what was there, and says why."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from napari_ptychonn.atomic_file import replacing
from napari_ptychonn.data.reconstruction import Reconstruction
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_reconstruction, write_reconstruction

SMALL = Reconstruction(object=np.full((8, 8), 2, np.complex64))
BIG = Reconstruction(object=np.zeros((600, 600), np.complex64))


def test_a_new_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "o.h5"
    path.write_text("old")
    write_reconstruction(path, SMALL)
    assert read_reconstruction(path).object[0, 0] == 2
    assert os.listdir(tmp_path) == ["o.h5"]


def test_any_error_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "o.h5"
    path.write_text("old")
    with contextlib.suppress(KeyError), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["o.h5"]


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "o.h5"
    write_reconstruction(path, SMALL)
    resource = pytest.importorskip("resource", reason="needs a POSIX limit on the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(InputError, match=r"o\.h5 cannot be written"):
            write_reconstruction(path, BIG)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert read_reconstruction(path).object[0, 0] == 2
    assert os.listdir(tmp_path) == ["o.h5"]


def test_missing_folder_and_folder_as_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder does not exist"):
        write_reconstruction(tmp_path / "no" / "o.h5", SMALL)
    with pytest.raises(InputError, match="is a folder"):
        write_reconstruction(tmp_path, SMALL)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="folder does not exist"):
        write_reconstruction(tmp_path / "file" / "o.h5", SMALL)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_no_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="permission is denied"):
        write_reconstruction(tmp_path / "o.h5", SMALL)


def test_permission_error_is_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"o\.h5 cannot be written: permission is denied"),
        replacing(tmp_path / "o.h5"),
    ):
        raise PermissionError(13, "Permission denied")


def test_a_kill_leaves_a_complete_file(tmp_path: Path) -> None:
    path = tmp_path / "o.h5"
    write_reconstruction(path, SMALL)
    code = textwrap.dedent(
        f"""
        import numpy as np
        from napari_ptychonn.data.reconstruction import Reconstruction
        from napari_ptychonn.io import write_reconstruction
        big = Reconstruction(object=np.full((700, 700), 3, np.complex64))
        print("ready", flush=True)
        while True:
            write_reconstruction({str(path)!r}, big)
        """
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            child.wait(timeout=0.3)
        except subprocess.TimeoutExpired:
            child.kill()
    assert read_reconstruction(path).object[0, 0] in (2, 3)
