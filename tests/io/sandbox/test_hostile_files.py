"""Files made to do harm: refused in a sentence that names file and dataset, with nothing leaked."""

from __future__ import annotations

import bz2
import json
import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from napari_ptychonn.errors import InputError
from napari_ptychonn.io import (
    describe,
    list_reconstructions,
    read_reconstruction,
    read_result,
    read_scan,
)
from napari_ptychonn.io.compression_ratio import is_decompression_bomb
from napari_ptychonn.io.containers.hdf5.policy import PathPolicy
from napari_ptychonn.io.sandbox import process as reader
from napari_ptychonn.network.model import TrainedModel

Write = Callable[..., Path]
Counts = NDArray[np.uint16]
Positions = NDArray[np.float64]

SECRET = 48879
SHAPE = (20, 16, 16)
UNKNOWN_LINK = b"\x01\x18\x40"  # version 1, with type and character set; 64 is the first user type

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An HDF5 file in another folder, with everything a scan could want to have."""
    path = tmp_path_factory.mktemp("elsewhere") / "secret.h5"
    with h5py.File(path, "w") as file:
        file["frames"] = np.full(SHAPE, SECRET, "u2")
        file["positions"] = np.full((20, 2), SECRET * 1e-9)
        file["mask"] = np.full((16, 16), SECRET, "u4")
        file["probe"] = np.full((1, 16, 16), SECRET, "c8")
        file["object"] = np.full((31, 40), SECRET, "c8")
    return path


def everything_from(path: Path) -> tuple[list[str], list[NDArray[Any]]]:
    """All sentences and arrays that reading a file in every way gives."""
    said: list[str] = []
    arrays: list[NDArray[Any]] = []

    def scan() -> None:
        found = read_scan(path)
        said.extend(found.notes)
        arrays.extend([np.asarray(found.frames[:]), found.positions])
        arrays.extend(a for a in (found.valid, found.probe) if a is not None)

    def reconstruction() -> None:
        for name in list_reconstructions(path):
            found = read_reconstruction(f"{path}::{name}" if name != "/" else path)
            parts = (found.object, found.probe, found.positions)
            arrays.extend(np.asarray(a) for a in parts if a is not None)

    def description() -> None:
        said.append(json.dumps(describe(path).as_dict()))

    def result() -> None:
        found = read_result(path)
        arrays.extend([found.predictions.phase, found.mosaic.phase])

    for read in (scan, reconstruction, description, result):
        try:
            read()
        except InputError as error:
            said.append(str(error))
    return said, arrays


def must_not_leak(path: Path) -> str:
    """Return what was said first."""
    said, arrays = everything_from(path)
    for array in arrays:
        values = np.abs(np.nan_to_num(np.asarray(array, complex)))
        for value in (SECRET, SECRET * 1e-9):
            assert not np.isclose(values, value, rtol=1e-6, atol=0).any()
    assert not any(str(SECRET) in sentence or "root:" in sentence for sentence in said)
    return said[0]


def refusal(path: Path, *words: str) -> str:
    """The sentence that `read_scan` refuses a file with; nothing of it is read in other ways."""
    with pytest.raises(InputError) as caught:
        read_scan(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    for word in (path.name, *words):
        assert word in sentence
    must_not_leak(path)
    return sentence


PARTS = {
    "frames": "entry_1/data_1/data",
    "positions": "entry_1/sample_1/geometry_1/translation",
    "mask": "entry_1/instrument_1/detector_1/mask",
    "probe": "entry_1/instrument_1/source_1/illumination",
}


@pytest.fixture(params=PARTS)
def part(request: pytest.FixtureRequest) -> tuple[str, str]:
    """What of a scan is made to come from elsewhere: its name, and its path in a CXI file."""
    return request.param, PARTS[request.param]


class TestLinks:
    def test_external(self, write_cxi: Write, secret: Path, part: tuple[str, str]) -> None:
        name, where = part
        path = write_cxi(**{where: h5py.ExternalLink(str(secret), f"/{name}")})
        refusal(path, where, str(secret), "outside the folder")

    def test_through_a_soft_link(
        self, write_cxi: Write, secret: Path, part: tuple[str, str]
    ) -> None:
        name, where = part
        out = h5py.ExternalLink(str(secret), f"/{name}")
        path = write_cxi(**{where: h5py.SoftLink("/hidden/it"), "hidden/it": out})
        refusal(path, "hidden/it", str(secret))

    def test_through_a_whole_group(self, write_cxi: Write, secret: Path) -> None:
        out = h5py.ExternalLink(str(secret), "/")
        path = write_cxi(outside=out, **{PARTS["frames"]: h5py.SoftLink("/outside/frames")})
        refusal(path, "outside", str(secret))

    def test_through_the_neighbour(
        self, write_product: Write, write_hdf5: Write, counts: Counts, secret: Path
    ) -> None:
        """Two files of one scan: the second may point outside as little as the first."""
        path = write_product()
        out = h5py.ExternalLink(str(secret), "/frames")
        write_hdf5("diffraction.h5", {"dp": out, "bad_pixels": np.zeros((16, 16), bool)})
        must_not_leak(path)
        with pytest.raises(InputError, match=r"diffraction|without diffraction frames"):
            read_scan(path)

    def test_through_a_linked_file(self, write_cxi: Write, write_hdf5: Write, secret: Path) -> None:
        write_hdf5("part.h5", {"data": h5py.ExternalLink(str(secret), "/frames")})
        path = write_cxi(**{PARTS["frames"]: h5py.ExternalLink("part.h5", "/data")})
        refusal(path, str(secret))

    @pytest.mark.parametrize(
        "name",
        [
            "file://{secret}",
            "file:{secret}",
            "../elsewhere0/secret.h5",
            "./../{folder}/secret.h5",
            "//server/share/secret.h5",
            r"\\server\share\secret.h5",
            "{secret}\0.h5",
            "/proc/self/root{secret}",
            "~/secret.h5",
            "$HOME/secret.h5",
        ],
    )
    def test_by_any_other_name(self, write_cxi: Write, secret: Path, name: str) -> None:
        target = name.format(secret=secret, folder=f"{secret.parent.name}")
        if "\0" in target:
            target = target.split("\0")[0] + "\x01"
        path = write_cxi(**{PARTS["frames"]: h5py.ExternalLink(target, "/frames")})
        sentence = refusal(path, PARTS["frames"])
        assert "outside the folder" in sentence or "missing" in sentence

    def test_to_a_symbolic_link(self, write_cxi: Write, secret: Path, tmp_path: Path) -> None:
        (tmp_path / "inside.h5").symlink_to(secret)
        (tmp_path / "circle.h5").symlink_to(tmp_path / "circle.h5")
        for name in ("inside.h5", "circle.h5"):
            path = write_cxi(**{PARTS["frames"]: h5py.ExternalLink(name, "/frames")})
            refusal(path, PARTS["frames"], name, "outside the folder")

    def test_through_a_symbolic_folder(
        self, write_cxi: Write, secret: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "data").symlink_to(secret.parent)
        path = write_cxi(**{PARTS["frames"]: h5py.ExternalLink("data/secret.h5", "/frames")})
        refusal(path, PARTS["frames"], "outside the folder")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
    def test_to_a_pipe_or_a_device(self, write_cxi: Write, tmp_path: Path) -> None:
        """To open a pipe would be to wait for ever."""
        os.mkfifo(tmp_path / "pipe.h5")
        path = write_cxi(**{PARTS["frames"]: h5py.ExternalLink("pipe.h5", "/frames")})
        refusal(path, PARTS["frames"], "pipe.h5", "missing")
        with pytest.raises(InputError, match="a device or a pipe"):
            read_scan(tmp_path / "pipe.h5")
        with pytest.raises(InputError, match="a device or a pipe"):
            read_scan("/dev/zero")

    def test_in_a_circle(self, write_cxi: Write, part: tuple[str, str]) -> None:
        _, where = part
        path = write_cxi(**{where: h5py.SoftLink("/a"), "a": h5py.SoftLink("/b/c"),
                            "b": h5py.SoftLink("/a")})  # fmt: skip
        refusal(path, where, "circle")

    def test_of_a_kind_that_only_its_maker_knows(self, write_cxi: Write) -> None:
        """A user-defined link runs code that a program registered; here nobody did."""
        path = write_cxi(**{PARTS["frames"]: h5py.ExternalLink("aaaaaaaaaaaaaaaa.h5", "/frames")})
        data = bytearray(path.read_bytes())
        link = data.find(b"aaaaaaaaaaaaaaaa.h5")
        assert link > 0
        for at in range(max(0, link - 64), link):
            if data[at] == 64:  # the type of an external link, as link messages store it
                data[at] = 77
        path.write_bytes(data)
        must_not_leak(path)


class TestVirtualSources:
    def virtual(self, path: Path, source: str, name: str = "frames") -> Path:
        layout = h5py.VirtualLayout(SHAPE, "u2")
        layout[:] = h5py.VirtualSource(source, name, SHAPE)
        with h5py.File(path, "w") as file:
            file.create_virtual_dataset("frames", layout)
            file["positions"] = np.random.default_rng(0).normal(size=(20, 2))
        return path

    def test_outside(self, tmp_path: Path, secret: Path) -> None:
        for source in (str(secret), os.path.relpath(secret, tmp_path)):
            refusal(self.virtual(tmp_path / "a.h5", source), "frames", source, "outside")

    def test_symbolic_link(self, tmp_path: Path, secret: Path) -> None:
        (tmp_path / "part.h5").symlink_to(secret)
        refusal(self.virtual(tmp_path / "a.h5", "part.h5"), "frames", "part.h5", "outside")

    def test_numbered_without_end(self, tmp_path: Path, secret: Path) -> None:
        """'%b' stands for any number, and so for any file that is put there later."""
        path = tmp_path / "a.h5"
        secret.rename(secret.with_name("secret0.h5"))
        with h5py.File(path, "w", libver="latest") as file:
            space = h5py.h5s.create_simple(SHAPE, (h5py.h5s.UNLIMITED, *SHAPE[1:]))
            space.select_hyperslab((0, 0, 0), (h5py.h5s.UNLIMITED, 1, 1), None, (1, 16, 16))
            part = h5py.h5s.create_simple((1, 16, 16))
            created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            name = f"{secret.parent}/secret%b.h5".encode()
            created.set_virtual(space, name, b"frames", part)
            whole = h5py.h5s.create_simple(SHAPE, (h5py.h5s.UNLIMITED, *SHAPE[1:]))
            h5py.h5d.create(file.id, b"frames", h5py.h5t.NATIVE_UINT16, whole, dcpl=created)
            file["positions"] = np.ones((20, 2))
        refusal(path, "frames", "%b")

    def test_link_in_the_source(self, tmp_path: Path, secret: Path) -> None:
        with h5py.File(tmp_path / "part.h5", "w") as file:
            file["frames"] = h5py.ExternalLink(str(secret), "/frames")
            file["group"] = h5py.ExternalLink(str(secret), "/")
        for name in ("frames", "group/frames"):
            refusal(self.virtual(tmp_path / "a.h5", "part.h5", name), "frames", "part.h5")

    def test_raw_storage_in_the_source(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "part.h5", "w") as file:
            file.create_dataset("frames", SHAPE, "u2", external=[("/etc/passwd", 0, 10240)])
        with pytest.raises(InputError, match=r"part\.h5: /frames .*/etc/passwd"):
            read_scan(self.virtual(tmp_path / "a.h5", "part.h5"))
        must_not_leak(tmp_path / "a.h5")

    def test_of_itself(self, tmp_path: Path) -> None:
        refusal(self.virtual(tmp_path / "a.h5", "."), "frames", "virtual over more than")

    def test_of_each_other(self, tmp_path: Path) -> None:
        self.virtual(tmp_path / "b.h5", "a.h5")
        with pytest.raises(InputError, match=r"frames .*virtual over more than"):
            read_scan(self.virtual(tmp_path / "a.h5", "b.h5"))

    def test_environment_does_not_move_them(
        self, tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """HDF5 looks in the folder that this variable names before it looks beside the file."""
        with h5py.File(tmp_path / "secret.h5", "w") as file:
            file["frames"] = np.ones(SHAPE, "u2")
        path = self.virtual(tmp_path / "a.h5", "secret.h5")
        monkeypatch.setenv("HDF5_VDS_PREFIX", str(secret.parent))
        reader.end_all()
        try:
            assert (np.asarray(read_scan(path).frames[:]) == 1).all()
        finally:
            reader.end_all()


class TestStorage:
    def test_raw_storage_in_another_file(self, tmp_path: Path, raster: Positions) -> None:
        for target in ("/etc/passwd", "../../../../../etc/passwd", "part.raw"):
            (tmp_path / "part.raw").write_bytes(struct.pack("<H", SECRET) * 5120)
            path = tmp_path / "a.h5"
            with h5py.File(path, "w") as file:
                file.create_dataset("frames", SHAPE, "u2", external=[(target, 0, 10240)])
                file["positions"] = raster
            refusal(path, "frames", target, "another file")

    @pytest.mark.parametrize("shape", [(2 * 10**9, 512, 512), (50_000, 40_000, 512, 512)])
    def test_a_petabyte(self, tmp_path: Path, raster: Positions, shape: tuple[int, ...]) -> None:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("frames", shape, "u2", chunks=(*(1 for _ in shape[:-2]), 512, 512))
            file["positions"] = raster
        refusal(path, "frames", "declares shape")

    def test_a_dataset_that_unpacks_to_much_more(
        self, write_cxi: Write, counts: Counts, tmp_path: Path
    ) -> None:
        path = write_cxi()
        with h5py.File(path, "r+") as file:
            where = PARTS["positions"]
            del file[where]
            bomb = file.create_dataset(
                where, (3 * 2**24, 3), "f8", chunks=(2**20, 3), compression="gzip"
            )
            for start in range(0, len(bomb), 2**20):
                bomb.id.write_direct_chunk((start, 0), _zeros(3 * 2**23))
        assert path.stat().st_size < 10 * 2**20
        with pytest.raises(
            InputError, match=rf"{PARTS['positions']} would unpack .* more than 800"
        ):
            read_scan(path)

    def test_a_chunk_that_unpacks_to_much_more(self, tmp_path: Path, raster: Positions) -> None:
        """A chunk says how large it is, and its compressed bytes do not keep to it."""
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            frames = file.create_dataset("frames", SHAPE, "u2", chunks=SHAPE, compression="gzip")
            frames.id.write_direct_chunk((0, 0, 0), _zeros(2**28))
            file["positions"] = raster
        must_not_leak(path)

    def test_a_filter_that_nobody_has(self, tmp_path: Path, raster: Positions) -> None:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            created.set_chunk((1, 16, 16))
            created.set_filter(31999, h5py.h5z.FLAG_OPTIONAL)
            space = h5py.h5s.create_simple(SHAPE)
            h5py.h5d.create(file.id, b"frames", h5py.h5t.NATIVE_UINT16, space, dcpl=created)
            file["positions"] = raster
        refusal(path, "frames", "filter 31999")

    def test_an_attribute_as_large_as_memory(self, write_product: Write, counts: Counts) -> None:
        healthy = write_product(dp=counts)
        path = healthy.with_name("a.h5")
        with h5py.File(healthy) as source, h5py.File(path, "w", libver="latest") as file:
            for name in source:
                source.copy(name, file)
            file.attrs["photon_energy_eV"] = np.zeros(2**20)
        healthy.unlink()
        refusal(path, "attribute photon_energy_eV", "8 MiB")

    def test_an_object_header_that_continues_in_itself(self, tmp_path: Path) -> None:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            frames = file.create_dataset("frames", SHAPE, "u2")
            for k in range(40):
                frames.attrs[f"a{k}"] = np.arange(50)
        data = bytearray(path.read_bytes())
        found = [at for at in range(0, len(data) - 24, 8) if data[at : at + 4] == b"\x10\0\x10\0"]
        assert found
        for at in found:  # a continuation message: its own header as the place to go on
            (length,) = struct.unpack_from("<Q", data, at + 16)
            struct.pack_into("<QQ", data, at + 8, at - at % 8, length)
        path.write_bytes(data)
        must_not_leak(path)

    def test_hundreds_of_names(self, tmp_path: Path) -> None:
        path = tmp_path / "a.h5"
        with h5py.File(path, "w", libver="latest") as file:
            file["data"] = np.ones(3)
            for k in range(500):
                file[f"x{k}"] = h5py.SoftLink("/data")
        refusal(path, "expected diffraction frames")


def _zeros(count: int) -> bytes:
    """So many zeros, deflated."""
    packer = zlib.compressobj(9)
    piece = bytes(2**24)
    parts = [packer.compress(piece) for _ in range(count // len(piece))]
    return b"".join([*parts, packer.compress(piece[: count % len(piece)]), packer.flush()])


class TestPathPolicy:
    @pytest.mark.skipif(sys.platform == "win32", reason="shares exist there")
    @pytest.mark.parametrize("name", ["//server/share/a.h5", "//?/C:/a.h5"])
    def test_does_not_ask_for_shares_of_other_machines(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        resolved: list[Path] = []
        policy = PathPolicy(tmp_path / "a.h5")
        resolve = Path.resolve
        monkeypatch.setattr(Path, "resolve", lambda p: resolved.append(p) or resolve(p))
        with pytest.raises(InputError, match="outside the folder"):
            policy.admit(name, tmp_path / "a.h5", "the link")
        assert not any("server" in str(p) or "C:" in str(p) for p in resolved)


class TestNumpy:
    def test_an_archive_that_unpacks_to_much_more(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npz"
        header = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118)
        text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2097152, 16, 16), }"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            with archive.open("reciprocal.npy", "w", force_zip64=True) as member:
                member.write(header + text.ljust(117).encode() + b"\n")
                for _ in range(32):
                    member.write(bytes(2**24))
            archive.writestr("position.npy", _npy(np.ones((2097152, 2), "f4")))
        with pytest.raises(InputError, match=r"a\.npz: reciprocal.npy") as caught:
            read_scan(path)
        assert caught.value.got == 2097152 * 16 * 16

    def test_a_compressed_archive_that_unpacks_to_much_more(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npz.bz2"
        packer = bz2.BZ2Compressor()
        parts = [packer.compress(bytes(2**24)) for _ in range(20)]
        path.write_bytes(b"".join([*parts, packer.flush()]))
        with pytest.raises(InputError) as caught:
            read_scan(path)
        assert caught.value.file == path
        assert 256 * 2**20 < caught.value.got <= 320 * 2**20

    def test_members_that_would_lie_elsewhere(self, tmp_path: Path) -> None:
        """Nothing is unpacked to the disk, whatever the names are."""
        path = tmp_path / "a.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("../../outside.npy", _npy(np.ones((20, 16, 16))))
        before = set(tmp_path.parent.rglob("*"))
        everything_from(path)
        assert set(tmp_path.parent.rglob("*")) == before

    @pytest.mark.parametrize(
        "text",
        [
            "(" * 9000,
            "{'descr': '|O', 'fortran_order': False, 'shape': (20, 16, 16), }",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (20, 16, 16069380442589902755), }",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (-20, -16, 16), }",
            "{'descr': [('a', '<u2', (999999,))], 'fortran_order': False, 'shape': (20, 16, 16)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (20, 16, 16" + ", 1" * 200 + "), }",
        ],
    )
    def test_headers(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "a.npy"
        header = text.encode() + b" " * (-len(text) % 64) + b"\n"
        path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(99))
        refusal(path)


def _npy(values: NDArray[Any]) -> bytes:
    import io

    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


class TestModels:
    def write(self, path: Path, header: Any, data: bytes = b"") -> Path:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)
        return path

    def refused(self, path: Path) -> None:
        for read in (TrainedModel.load, describe):
            with pytest.raises(InputError) as caught:
                read(path)
            assert path.name in str(caught.value)
            assert "\n" not in str(caught.value)

    def test_headers(self, tmp_path: Path) -> None:
        path = tmp_path / "a.safetensors"
        tensor = {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 2**62]}
        self.refused(self.write(path, {"network.a": tensor}))
        self.refused(self.write(path, b"{" + b'"a":[' * 50_000))
        path.write_bytes(struct.pack("<Q", 2**40) + b"{}")
        with pytest.raises(InputError):
            describe(path)

    def test_a_network_larger_than_its_weights(self, tmp_path: Path) -> None:
        from safetensors import safe_open
        from safetensors.torch import save_file

        from napari_ptychonn.network.options import NetworkOptions
        from napari_ptychonn.network.preprocessing import Preprocessing
        from napari_ptychonn.network.ptychonn import PtychoNN

        options = NetworkOptions(size=16, width=2, scaling="sqrt", refinements=0)
        path = tmp_path / "a.safetensors"
        TrainedModel(
            options=options,
            preprocessing=Preprocessing(
                frame_shape=(16, 16), window=(0, 0, 16, 16), bin=1, size=16
            ),
            state=dict(PtychoNN(options).state_dict()),
            pixel_size=(1e-8, 1e-8),
            unit="m",
            weight=np.ones((16, 16), np.float32),
        ).save(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        changes = {
            '"width": 2': '"width": 20000',
            '"bin": 1': '"bin": 0',
            '"frame_shape": [16, 16]': '"frame_shape": [16, 8]',
            '"unit": "m"': '"unit": "mile"',
        }
        for before, after in changes.items():
            changed = metadata | {"model": metadata["model"].replace(before, after)}
            assert changed != metadata
            save_file(tensors, path, changed)
            with pytest.raises(InputError, match=r"a\.safetensors: "):
                TrainedModel.load(path)


def test_a_bomb_is_what_no_measured_array_is() -> None:
    rng = np.random.default_rng(0)
    sparse = rng.poisson(2e-3, (64, 256, 256)).astype(np.uint16)
    packed = len(zlib.compress(sparse.tobytes(), 9))
    assert not is_decompression_bomb(1000 * sparse.nbytes, 1000 * packed)
    assert is_decompression_bomb(2**30, 2**20)
