"""Whatever is wrong with a file: one sentence that names it, at once, and nothing leaked."""

from __future__ import annotations

import bz2
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from napari_ptychonn.errors import InputError
from napari_ptychonn.io import describe, read_reconstruction, read_result, read_scan

Write = Callable[..., Path]
Counts = NDArray[np.uint16]
Positions = NDArray[np.float64]

pytestmark = pytest.mark.timeout(60)


def refusal(path: str | Path) -> str:
    """The sentence of read_scan; describe says the same, the others refuse as well."""
    with pytest.raises(InputError) as caught:
        read_scan(path)
    for read in (read_reconstruction, read_result, describe):
        with pytest.raises(InputError):
            read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert str(path).split("::")[0] in message
    return message


def test_missing_empty_and_folder(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "no.h5")
    (tmp_path / "empty.h5").touch()
    assert "empty (0 bytes)" in refusal(tmp_path / "empty.h5")
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_not_readable(tmp_path: Path) -> None:
    path = tmp_path / "secret.h5"
    path.write_bytes(b"x")
    path.chmod(0)
    assert "Permission denied" in refusal(path)


@pytest.mark.parametrize("text", ["1,2\n3,4\n", "not HDF5", "<html></html>"])
def test_text_called_h5(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scan.h5"
    path.write_text(text)
    assert "plain text" in refusal(path)


def test_noise(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    path.write_bytes(b"\x00\xff\x17" * 1000)
    assert "unknown kind" in refusal(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
def test_truncated(
    write_hdf5: Write, counts: Counts, raster: Positions, tmp_path: Path, part: float
) -> None:
    whole = write_hdf5("whole.h5", {"frames": counts, "positions": raster}).read_bytes()
    path = tmp_path / "cut.h5"
    path.write_bytes(whole[: int(len(whole) * part)])
    assert "truncated" in refusal(path)


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ({"image": np.ones((30, 30))}, "expected diffraction frames"),
        ({"data": np.float64(3)}, "expected diffraction frames"),
        ({}, "holds no arrays"),
        ({"frames": np.ones((9, 16, 16)), "positions": np.full((9, 2), np.nan)}, "none of the 9"),
        ({"frames": np.ones((9, 16, 16)), "positions": np.ones((9, 4))}, "no scan positions"),
        ({"frames": np.ones((9, 16, 16))}, "no scan positions"),
        ({"frames": np.ones((9, 16, 16)), "positions": np.ones((2, 2))}, "9 frames and 2 pos"),
        ({"dp": np.ones((16, 16))}, "1 frame but no scan positions"),
        ({"dp": np.ones((2, 2))}, "got shape (2, 2)"),
        ({"dp": np.ones((0, 16, 16))}, "got shape (0, 16, 16)"),
        ({"dp": np.ones((3, 16, 16), np.complex64)}, "complex64"),
    ],
)
def test_wrong_contents(write_hdf5: Write, contents: dict[str, Any], expected: str) -> None:
    assert expected in refusal(write_hdf5("a.h5", contents))


def test_product_whose_parts_do_not_fit(write_product: Write, counts: Counts) -> None:
    path = write_product(dp=counts, probe_position_x_m=np.zeros(7))
    with pytest.raises(InputError, match=r"has 20 values and .* 7"):
        read_scan(path)
    path = write_product("b.h5", object=np.ones((31, 40)))
    with pytest.raises(InputError, match=r"holds no reconstruction|complex"):
        read_reconstruction(path)


def test_group_that_is_not_there(write_product: Write) -> None:
    with pytest.raises(InputError, match="no group /epie"):
        read_reconstruction(f"{write_product()}::/epie")


def test_missing_filter(tmp_path: Path, raster: Positions) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk((1, 16, 16))
        # 32001 would be Blosc; 31999 is nobody's.  Optional, so that HDF5 lets us write it.
        created.set_filter(31999, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((20, 16, 16))
        h5py.h5d.create(file.id, b"frames", h5py.h5t.NATIVE_UINT16, space, dcpl=created)
        file["positions"] = raster
    assert "filter 31999" in refusal(path)


class TestOutside:
    """Nothing outside the folder of the scan is read, and the message says what was named."""

    @pytest.fixture
    def secret(self, tmp_path_factory: pytest.TempPathFactory, counts: Counts) -> Path:
        path = tmp_path_factory.mktemp("elsewhere") / "secret.h5"
        with h5py.File(path, "w") as file:
            file["frames"] = counts
        return path

    def test_external_link(self, write_hdf5: Write, raster: Positions, secret: Path) -> None:
        link = h5py.ExternalLink(str(secret), "/frames")
        for name in ("frames", "dp", "entry_1/data_1/data"):
            path = write_hdf5("a.h5", {name: link, "positions": raster})
            message = refusal(path)
            assert str(secret) in message
            assert "outside the folder" in message

    def test_link_through_dots_and_symlinks(
        self, write_hdf5: Write, raster: Positions, secret: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "inside.h5").symlink_to(secret)
        for target in ("inside.h5", os.path.relpath(secret, tmp_path)):
            link = h5py.ExternalLink(target, "/frames")
            path = write_hdf5("a.h5", {"frames": link, "positions": raster})
            assert "outside the folder" in refusal(path)

    def test_external_raw_storage(self, tmp_path: Path, raster: Positions) -> None:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset(
                "frames", (20, 16, 16), "u1", external=[("/etc/passwd", 0, 20 * 256)]
            )
            file["positions"] = raster
        message = refusal(path)
        assert "/etc/passwd" in message

    def test_virtual_source(self, tmp_path: Path, raster: Positions, secret: Path) -> None:
        path = tmp_path / "a.h5"
        assert str(secret) in refusal(virtual(path, raster, str(secret)))

    def test_virtual_source_that_itself_reads_elsewhere(
        self, tmp_path: Path, raster: Positions
    ) -> None:
        with h5py.File(tmp_path / "part.h5", "w") as file:
            file.create_dataset(
                "frames", (20, 16, 16), "u2", external=[("/etc/passwd", 0, 20 * 512)]
            )
        with pytest.raises(InputError, match=r"part\.h5.*/etc/passwd"):
            read_scan(virtual(tmp_path / "a.h5", raster, "part.h5"))

    def test_positions_outside(self, write_hdf5: Write, counts: Counts, secret: Path) -> None:
        link = h5py.ExternalLink(str(secret), "/positions")
        path = write_hdf5("a.h5", {"dp": counts, "object": link})
        with pytest.raises(InputError):
            read_scan(path)


def virtual(path: Path, raster: Positions, source: str) -> Path:
    layout = h5py.VirtualLayout((20, 16, 16), "u2")
    layout[:] = h5py.VirtualSource(source, "frames", (20, 16, 16))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("frames", layout)
        file["positions"] = raster
    return path


class TestMissing:
    def test_dangling_links(self, write_hdf5: Write, raster: Positions) -> None:
        soft = {"frames": h5py.SoftLink("/not/there"), "positions": raster}
        assert "/not/there" in refusal(write_hdf5("a.h5", soft))
        out = {"frames": h5py.ExternalLink("gone.h5", "/x"), "positions": raster}
        assert "gone.h5, which is missing" in refusal(write_hdf5("b.h5", out))

    def test_dangling_links_that_nobody_needs(
        self, write_hdf5: Write, counts: Counts, raster: Positions
    ) -> None:
        path = write_hdf5(
            "a.h5",
            {
                "frames": counts,
                "positions": raster,
                "data_000002": h5py.ExternalLink("gone.h5", "/x"),
                "old": h5py.SoftLink("/nowhere"),
            },
        )
        assert len(read_scan(path)) == 20

    def test_virtual_source(self, tmp_path: Path, raster: Positions) -> None:
        assert "gone.h5, which is missing" in refusal(virtual(tmp_path / "a.h5", raster, "gone.h5"))

    def test_virtual_source_without_the_dataset(
        self, tmp_path: Path, raster: Positions, write_hdf5: Write
    ) -> None:
        write_hdf5("part.h5", {"others": np.ones(3)})
        with pytest.raises(InputError, match=r"frames is not in .*part\.h5"):
            read_scan(virtual(tmp_path / "a.h5", raster, "part.h5"))


class TestCircles:
    def test_groups_that_contain_themselves(
        self, tmp_path: Path, counts: Counts, raster: Positions
    ) -> None:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            group = file.create_group("a/b")
            group["again"] = file["a"]
            group["root"] = file["/"]
        assert "expected diffraction frames" in refusal(path)
        with h5py.File(path, "r+") as file:
            file["a/b/frames"] = counts
            file["a/b/positions"] = raster
        assert len(read_scan(path)) == 20

    def test_links_that_lead_to_themselves(self, write_hdf5: Write, raster: Positions) -> None:
        contents = {"frames": h5py.SoftLink("/other"), "other": h5py.SoftLink("/frames")}
        assert "circle" in refusal(write_hdf5("a.h5", contents | {"positions": raster}))

    def test_files_that_link_to_each_other(self, write_hdf5: Write, raster: Positions) -> None:
        write_hdf5("b.h5", {"frames": h5py.ExternalLink("a.h5", "/frames")})
        path = write_hdf5(
            "a.h5", {"frames": h5py.ExternalLink("b.h5", "/frames"), "positions": raster}
        )
        assert "circle" in refusal(path)


class TestTypes:
    @pytest.mark.parametrize(
        "dtype", [np.longdouble, np.clongdouble, [("r", "f4"), ("i", "f4")], "S5"]
    )
    def test_what_is_not_a_count(self, write_hdf5: Write, raster: Positions, dtype: Any) -> None:
        path = write_hdf5("a.h5", {"dp": np.zeros((20, 16, 16), dtype), "positions": raster})
        refusal(path)

    def test_longdouble_positions(self, write_hdf5: Write, counts: Counts) -> None:
        contents = {"frames": counts, "positions": np.ones((20, 2), np.longdouble)}
        assert "up to 64 bits" in refusal(write_hdf5("a.h5", contents))


class TestAbsurdSizes:
    def test_frames(self, tmp_path: Path, raster: Positions) -> None:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("frames", (10**9, 1000, 800), "u1", chunks=(1, 1000, 800))
            file["positions"] = raster
        assert "declares shape" in refusal(path) or "positions" in refusal(path)

    def test_one_frame(self, tmp_path: Path, raster: Positions) -> None:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("frames", (20, 10**6, 10**6), "u1", chunks=(1, 1000, 1000))
            file["positions"] = raster
        assert "declares shape" in refusal(path)

    def test_positions(self, tmp_path: Path, counts: Counts) -> None:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file["frames"] = counts
            file.create_dataset("positions", (10**11, 2), "f8", chunks=(1000, 2))
        assert "declares shape" in refusal(path)


class TestStillWritten:
    CODE = """
        import h5py, numpy as np, sys
        file = h5py.File({path!r}, "w", libver="latest")
        file["positions"] = np.arange(40.0).reshape(20, 2)
        file.create_dataset("frames", data=np.ones((20, 16, 16), "u2"), chunks=(1, 16, 16))
        file.flush()
        if {swmr}:
            file.swmr_mode = True
        print("ready", flush=True)
        sys.stdin.readline()
    """

    def writer(self, path: Path, swmr: bool) -> subprocess.Popen[bytes]:
        code = textwrap.dedent(self.CODE.format(path=str(path), swmr=swmr))
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        return child

    @pytest.mark.parametrize("swmr", [True, False])
    def test_by_another_program(self, tmp_path: Path, swmr: bool) -> None:
        path = tmp_path / "a.h5"
        with self.writer(path, swmr) as child:
            try:
                if swmr:
                    scan = read_scan(path)
                    assert len(scan) == 20
                    assert scan.frames[3].sum() == 256
                    assert any("still being written" in note for note in scan.notes)
                    scan.frames.close()
                else:
                    assert "still being written" in refusal(path)
            finally:
                child.communicate(b"\n")


class TestNumpy:
    def test_pickles_are_not_opened(self, tmp_path: Path) -> None:
        ran = tmp_path / "ran"

        class Evil:
            def __reduce__(self) -> tuple[Any, ...]:
                return (Path.touch, (ran,))

        np.savez(tmp_path / "a.npz", reciprocal=np.array([Evil()], dtype=object))
        np.save(tmp_path / "a.npy", np.array([Evil()], dtype=object), allow_pickle=True)
        for name in ("a.npz", "a.npy"):
            assert "pickled" in refusal(tmp_path / name)
        assert not ran.exists()

    @pytest.mark.parametrize("part", [0.2, 0.9])
    @pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.npz.bz2"])
    def test_truncated(self, tmp_path: Path, counts: Counts, name: str, part: float) -> None:
        path = tmp_path / name
        if name == "a.npy":
            np.save(path, counts.reshape(4, 5, 16, 16))
        else:
            np.savez(tmp_path / "a.npz", reciprocal=counts, position=np.ones((20, 2)))
        if name.endswith(".bz2"):
            path.write_bytes(bz2.compress((tmp_path / "a.npz").read_bytes()))
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
        refusal(path)

    def test_damaged_member(self, tmp_path: Path, counts: Counts) -> None:
        path = tmp_path / "a.npz"
        np.savez_compressed(path, reciprocal=counts, position=np.ones((20, 2)))
        whole = bytearray(path.read_bytes())
        whole[300:600] = bytes(300)
        path.write_bytes(whole)
        assert "damaged" in refusal(path)

    def test_zip_without_arrays(self, tmp_path: Path) -> None:
        import zipfile

        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("readme.txt", "hello")
        assert "without NumPy arrays" in refusal(tmp_path / "a.npz")

    def test_declared_size(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npy"
        np.save(path, np.zeros((2, 2, 16, 16), "u1"))
        whole = path.read_bytes().replace(b"(2, 2, 16, 16)", b"(9, 9, 99, 99)")
        path.write_bytes(whole)
        assert "declares shape" in refusal(path)


def test_a_model_is_not_a_scan(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "model.anything"
    weights = {"network.a": np.zeros((3, 4), np.float32), "optimiser.b": np.zeros(5, np.float32)}
    save_file(weights, path, metadata={"width": "16", "name": "net"})
    with pytest.raises(InputError, match="is a model"):
        read_scan(path)
    found = describe(path)
    assert (found.kind, found.parameters) == ("model", 12)
    assert found.metadata == {"width": 16, "name": "net"}
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match="truncated model"):
        describe(path)
