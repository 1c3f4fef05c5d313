"""Damaged files by the thousand: each is read, or refused in one sentence, in time.

As a program, `python tests/fuzz/test_fuzz.py --files 5000` (`make fuzz`), it makes and judges that
many and prints what happened; in the test suite it takes 500.  File number k of a
seed file is always the same, so that a number is all there is to keep of a bad one.
"""

from __future__ import annotations

import argparse
import bz2
import json
import logging
import lzma
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from numpy.typing import NDArray

from napari_ptychonn.data.patches import Predictions
from napari_ptychonn.data.result import Result
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import (
    describe,
    list_reconstructions,
    read_reconstruction,
    read_result,
    read_scan,
    write_result,
)
from napari_ptychonn.io.layouts.format import layout_from_values, layout_to_values
from napari_ptychonn.io.mapping.inspect import (
    holds_datasets,
    inspect_file,
    list_children,
    missing_from_scan,
)
from napari_ptychonn.io.mapping.preview import preview_mapping
from napari_ptychonn.io.mapping.roles import ROLES
from napari_ptychonn.io.readers.positions_source import list_positions_sources
from napari_ptychonn.io.sandbox import process as child
from napari_ptychonn.network.model import TrainedModel
from napari_ptychonn.network.options import NetworkOptions
from napari_ptychonn.network.preprocessing import Preprocessing
from napari_ptychonn.network.ptychonn import PtychoNN
from napari_ptychonn.stitching.mosaic import Mosaic, MosaicImage

IN_TEST_SUITE = 500
LONGEST = 10.0
POINTS, SIZE = 20, 16
CORPUS = Path(__file__).with_name("corpus")
"""Files that crashed the library or kept it busy, as `--keep` names them, packed with xz."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Seed:
    """A healthy file that will be damaged, what lies beside it, and which of them is opened."""

    name: str
    write: Callable[[Path], None]
    beside: Callable[[Path], None] = lambda folder: None
    opened: str | None = None


def _counts() -> NDArray[np.uint16]:
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    rate = 2000 * np.exp(-(y**2 + x**2) / 8)
    return np.random.default_rng(0).poisson(rate, (POINTS, SIZE, SIZE)).astype(np.uint16)


def _positions() -> NDArray[np.float64]:
    y, x = np.mgrid[:4, :5]
    return np.stack([y.ravel(), x.ravel()], axis=1) * 30e-9


def _image(shape: tuple[int, ...]) -> NDArray[np.complex64]:
    return np.exp(1j * np.random.default_rng(1).normal(size=shape)).astype(np.complex64)


def _product(file: h5py.File, **frames: Any) -> None:
    file.create_dataset("dp", data=_counts(), **frames)
    positions = _positions()
    file["probe_position_indexes"] = np.arange(POINTS)
    file["probe_position_y_m"], file["probe_position_x_m"] = positions.T
    file["probe"] = _image((1, 2, SIZE, SIZE))
    file["object"] = _image((1, 31, 40))
    file["object"].attrs["pixel_height_m"] = file["object"].attrs["pixel_width_m"] = 10e-9
    file.attrs["name"] = "star"
    file.attrs["photon_energy_eV"] = 8800.0
    file.attrs["detector_object_distance_m"] = 1.5


def _gzip(path: Path) -> None:
    with h5py.File(path, "w") as file:
        _product(file, chunks=(3, 8, 8), compression="gzip", shuffle=True, fletcher32=True)


def _newest(path: Path) -> None:
    with h5py.File(path, "w", libver="latest") as file:
        _product(file, chunks=(1, SIZE, SIZE), maxshape=(None, SIZE, SIZE), compression="lzf")
        file["comment"] = "text of any length"
        for k in range(12):
            file.attrs[f"attribute {k}"] = np.arange(k)


def _bitshuffle(path: Path) -> None:
    with h5py.File(path, "w") as file:
        detector = file.create_group("entry_1/instrument_1/detector_1")
        options = {"chunks": (1, SIZE, SIZE), **hdf5plugin.Bitshuffle()}
        detector.create_dataset("data", data=_counts(), **options)
        detector["distance"] = 1.5
        detector["x_pixel_size"] = detector["y_pixel_size"] = 75e-6
        detector["mask"] = np.zeros((SIZE, SIZE), "u4")
        xyz = np.column_stack([_positions()[:, ::-1], np.zeros(POINTS)])
        file["entry_1/sample_1/geometry_1/translation"] = xyz
        file["entry_1/instrument_1/source_1/energy"] = 1.4e-15
        file["entry_1/data_1/data"] = h5py.SoftLink("/entry_1/instrument_1/detector_1/data")
        file["cxi_version"] = 160


def _part(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=_counts(), chunks=(1, SIZE, SIZE), **hdf5plugin.LZ4())


def _virtual(path: Path) -> None:
    layout = h5py.VirtualLayout((POINTS, SIZE, SIZE), "u2")
    layout[:10] = h5py.VirtualSource("part.h5", "data", (POINTS, SIZE, SIZE))[:10]
    layout[10:] = h5py.VirtualSource("part.h5", "data", (POINTS, SIZE, SIZE))[10:]
    with h5py.File(path, "w", libver="latest") as file:
        file.create_virtual_dataset("frames", layout)
        file["positions"] = _positions()


def _master(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["entry/data/data_000001"] = h5py.ExternalLink("part.h5", "/data")
        file["entry/data/data_000002"] = h5py.ExternalLink("part2.h5", "/data")


def _npz(path: Path) -> None:
    np.savez(path, reciprocal=_counts(), position=_positions())


def _npz_compressed(path: Path) -> None:
    arrays = {"diffraction": np.sqrt(_counts()), "probeGuess": _image((SIZE, SIZE))}
    y, x = _positions().T * 1e8
    arrays |= {"xcoords": x, "ycoords": y, "objectGuess": _image((40, 40))}
    np.savez_compressed(path, **arrays)


def _npz_bz2(path: Path) -> None:
    _npz(path.with_suffix(".npz"))
    path.write_bytes(bz2.compress(path.with_suffix(".npz").read_bytes()))
    path.with_suffix(".npz").unlink(missing_ok=True)


def _npy(path: Path) -> None:
    np.save(path, _counts().reshape(4, 5, SIZE, SIZE))


def _result(path: Path) -> None:
    images = {
        c: np.ones((31, 40), np.float32) for c in ("amplitude", "phase", "weight", "overlap_std")
    }
    patches = np.ones((POINTS, 8, 8), np.float32)
    write_result(
        path,
        Result(
            predictions=Predictions(indices=np.arange(POINTS), amplitude=patches, phase=patches),
            positions=_positions(),
            mosaic=MosaicImage(**images, pixel_size=(1e-8, 1e-8), origin=(0.0, 0.0)),
            unit="m",
            probe=_image((1, 8, 8)),
            held_out=np.arange(5),
            name="star",
            provenance={"model": "a"},
        ),
    )


def _model(path: Path) -> None:
    options = NetworkOptions(size=16, width=2, scaling="sqrt", refinements=0)
    TrainedModel(
        options=options,
        preprocessing=Preprocessing(
            frame_shape=(SIZE, SIZE), window=(0, 0, SIZE, SIZE), bin=1, size=16
        ),
        state=dict(PtychoNN(options).state_dict()),
        pixel_size=(1e-8, 1e-8),
        unit="m",
        weight=np.ones((16, 16), np.float32),
        probe=_image((1, SIZE, SIZE)),
        history=({"number": 1, "step": 10, "train_loss": 0.5},),
        provenance={"scan": "star", "train": [1, 2, 3]},
    ).save(path)


def _beside_master(folder: Path) -> None:
    _part(folder / "part.h5")
    _part(folder / "part2.h5")
    positions = np.concatenate([_positions(), _positions() + 200e-9])
    np.savetxt(folder / "positions.csv", positions, delimiter=",")


def _beside_part(folder: Path) -> None:
    _virtual(folder / "scan.h5")


SEEDS = (
    Seed("gzip.h5", _gzip),
    Seed("bitshuffle.cxi", _bitshuffle),
    Seed("newest.h5", _newest),
    Seed("virtual.h5", _virtual, lambda folder: _part(folder / "part.h5")),
    Seed("part.h5", _part, _beside_part, opened="scan.h5"),
    Seed("master.h5", _master, _beside_master),
    Seed("result.h5", _result),
    Seed("model.safetensors", _model),
    Seed("stored.npz", _npz),
    Seed("compressed.npz", _npz_compressed),
    Seed("frames.npy", _npy),
    Seed("frames.npz.bz2", _npz_bz2),
)
"""HDF5 has the most, because it has the most to break."""

_MARKS = (b"OHDR", b"OCHK", b"TREE", b"HEAP", b"SNOD", b"GCOL", b"FRHP", b"FHDB", b"BTHD", b"BTLF",
          b"FADB", b"EAHD", b"EAIB", b"FAHD", b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06",
          b"NUMPY", b"data_offsets", b"shape", b"dtype", b"descr")  # fmt: skip
_TELLING = (0, 1, 0x7F, 0x80, 0xFF, 0xFE, 0x40, 0x20)


def mutated(whole: bytes, name: str, number: int) -> bytes:
    """Damage a file in a way that its name and the number decide."""
    rng = np.random.default_rng([number, *name.encode()])
    data = bytearray(whole)
    for _ in range(rng.integers(1, 5)):
        if len(data) < 16:
            break
        at = _place(data, rng)
        match rng.integers(10):
            case 0 | 1 | 2:
                data[at] = int(rng.integers(256))
            case 3:
                data[at] ^= 1 << int(rng.integers(8))
            case 4 | 5:
                data[at] = int(rng.choice(_TELLING))
            case 6:
                width = int(rng.choice([2, 4, 8]))
                value = int(rng.choice([0, 1, 2**7, 2**15, 2**31, 2**63 - 1])) + int(
                    rng.integers(-2, 3)
                )
                data[at : at + width] = (value % 2 ** (8 * width)).to_bytes(width, "little")
            case 7:
                other, length = _place(data, rng), int(rng.integers(1, 64))
                data[at : at + length] = data[other : other + length]
            case 8:
                del data[at : at + int(rng.integers(1, 16))]
            case _:
                if rng.random() < 0.3:
                    del data[at:]
                else:
                    length = int(rng.integers(1, 64))
                    data[at : at + length] = rng.bytes(length)
    return bytes(data)


def _place(data: bytearray, rng: np.random.Generator) -> int:
    """Choose a byte: often one of the first or one behind a mark, where the structure is."""
    chance = rng.random()
    if chance < 0.35:
        return int(rng.integers(min(len(data), 2048)))
    if chance < 0.8:
        mark = _MARKS[int(rng.integers(len(_MARKS)))]
        found = []
        start = data.find(mark)
        while start >= 0:
            found.append(start)
            start = data.find(mark, start + 1)
        if found:
            return min(int(rng.choice(found)) + int(rng.integers(64)), len(data) - 1)
    return int(rng.integers(len(data)))


@dataclass
class Verdict:
    """What became of the files.

    Attributes
    ----------
    outcome : Counter
        'read' or 'refused'.
    contained : Counter
        'crash' and 'hang' of the process that opens files.
    failures : list of str
        What must not be: anything raised but InputError, a sentence that is none, too long a wait.
    longest : float
        Seconds for the slowest file.
    """

    outcome: Counter[str] = field(default_factory=Counter)
    contained: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    longest: float = 0.0


class Contained(logging.Handler):
    """Counts what the process that opens files did not survive."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kind: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.kind = "crash" if "crashed" in record.getMessage() else "hang"


def judge(path: Path, what: str, number: int, verdict: Verdict) -> None:
    """Do with a file what a user would, and note what becomes of it."""
    is_model = path.suffix == ".safetensors"
    ways = MODEL_WAYS if is_model else WAYS
    begun = time.perf_counter()
    try:
        ways[number % len(ways)](path)
        verdict.outcome["read"] += 1
    except InputError as error:
        verdict.outcome["refused"] += 1
        sentence = str(error)
        named = any(p.name in sentence for p in path.parent.iterdir())
        if not named or "\n" in sentence or not sentence.endswith("."):
            verdict.failures.append(f"{what}: not a sentence that names the file: {sentence!r}")
    except Exception:
        verdict.failures.append(f"{what}: {traceback.format_exc()}")
    seconds = time.perf_counter() - begun
    verdict.longest = max(verdict.longest, seconds)
    if seconds > LONGEST:
        verdict.failures.append(f"{what}: took {seconds:.1f} s")


def _look(path: Path) -> None:
    text = json.dumps(describe(path).as_dict(), ensure_ascii=False, default=str)
    text.encode("utf-8", "strict")


def _open(path: Path) -> None:
    if path.stem == "result":
        read_result(path)
    scan = read_scan(path)
    for frames in (
        scan.frames[0],
        scan.frames[len(scan) // 2 :],
        scan.read(np.array([len(scan) - 1, 0])),
    ):
        np.asarray(frames).sum()


def _reconstructed(path: Path) -> None:
    for name in list_reconstructions(path):
        read_reconstruction(path if name == "/" else f"{path}::{name}")


def _choose(path: Path) -> None:
    """What the window for choosing datasets does with a file."""
    holds_datasets(path)
    missing_from_scan(path)
    found = inspect_file(path)
    for branch in found.top:
        if not branch.leaf:
            list_children(path, branch.path)
    for role in ROLES:
        for candidate in found.ranking.candidates(role, found.choice.picks):
            assert candidate.pick.path
    list_positions_sources(path, (POINTS,))
    if found.choice.missing(found.ranking.shapes) is not None:
        raise InputError(found.problem or f"{path}: nothing to choose.")
    layout = found.choice.layout("fuzz")
    assert layout_from_values(json.loads(json.dumps(layout_to_values(layout))), "fuzz") == layout
    seen = preview_mapping(path, layout)
    if seen.problem:
        raise InputError(seen.problem)
    assert seen.mean is not None
    assert np.isfinite(seen.mean).all()


def _load(path: Path) -> None:
    model = TrainedModel.load(path)
    scan = Scan(frames=_counts(), positions=_positions(), unit="m", pixel_size=(1e-8, 1e-8))
    for batch in model.predict(scan, np.arange(2), device="cpu"):
        mosaic = Mosaic.covering(
            scan.positions, model.patch_shape, model.pixel_size_in(scan), model.weight
        )
        mosaic.add(batch, scan.positions[batch.indices])


WAYS = (_look, _open, _choose, _reconstructed)
MODEL_WAYS = (_look, _load)
"""What a user does with a file; file number k goes the way k, counted on."""


def files(count: int, first: int = 0, only: str = "") -> Iterator[tuple[Seed, int]]:
    """Take the seed files in turns; or only those of a name."""
    seeds = [seed for seed in SEEDS if only in seed.name]
    for k in range(first, first + count):
        yield seeds[k % len(seeds)], k // len(seeds)


@cache
def healthy(name: str) -> bytes:
    """Return the bytes of a seed file."""
    seed = next(s for s in SEEDS if s.name == name)
    with tempfile.TemporaryDirectory() as folder:
        seed.write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def fuzz(count: int, first: int, folder: Path, keep: Path | None = None, only: str = "") -> Verdict:
    """Make and judge files; `keep` gets those that the process of its own did not survive."""
    verdict, contained = Verdict(), Contained()
    logger = logging.getLogger("napari_ptychonn.io.sandbox.process")
    logger.addHandler(contained)
    for seed in SEEDS:
        (folder / seed.name).mkdir()
        seed.beside(folder / seed.name)
    try:
        for seed, number in files(count, first, only):
            path = folder / seed.name / seed.name
            path.write_bytes(mutated(healthy(seed.name), seed.name, number))
            contained.kind, failed = None, len(verdict.failures)
            judge(
                path.with_name(seed.opened or seed.name), f"{seed.name} {number}", number, verdict
            )
            if contained.kind is not None:
                verdict.contained[contained.kind] += 1
            if keep is not None and (contained.kind or len(verdict.failures) > failed):
                keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, keep / f"{contained.kind or 'failure'}-{number}-{seed.name}")
    finally:
        logger.removeHandler(contained)
    return verdict


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_healthy_files_are_read(seed: Seed, tmp_path: Path) -> None:
    seed.beside(tmp_path)
    seed.write(tmp_path / seed.name)
    path = tmp_path / (seed.opened or seed.name)
    verdict = Verdict()
    for number in range(len(WAYS)):
        judge(path, seed.name, number, verdict)
    assert not verdict.failures
    assert verdict.outcome["read"] >= len(WAYS) - 1  # not every file holds a reconstruction
    describe(path)


def test_mutated_files_are_read_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "PATIENCE", 3.0)  # a file that hangs costs as much
    verdict = fuzz(IN_TEST_SUITE, 0, tmp_path)
    assert not verdict.failures, "\n".join(verdict.failures)
    assert verdict.outcome["read"] > IN_TEST_SUITE / 10
    assert verdict.outcome["refused"] > IN_TEST_SUITE / 10


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*.xz")), ids=lambda file: file.stem)
def test_files_that_once_did_harm(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later versions of HDF5 may read them; this process survives them in any case."""
    monkeypatch.setattr(child, "PATIENCE", 3.0)
    name = file.stem.split("-", 2)[2]
    seed = next(s for s in SEEDS if s.name == name)
    seed.beside(tmp_path)
    (tmp_path / name).write_bytes(lzma.decompress(file.read_bytes()))
    verdict = Verdict()
    for number in range(len(WAYS)):
        judge(tmp_path / (seed.opened or name), name, number, verdict)
    assert not verdict.failures


def main() -> None:
    """Judge as many files as asked for, and say what became of them."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--files", type=int, default=5000)
    arguments.add_argument("--first", type=int, default=0)
    arguments.add_argument("--only", default="", help="part of the name of a seed file")
    arguments.add_argument("--keep", type=Path, help="folder for the files that did harm")
    options = arguments.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        verdict = fuzz(options.files, options.first, Path(folder), options.keep, options.only)
    for failure in verdict.failures:
        print(failure)
    print(
        f"{options.files} files in {time.perf_counter() - begun:.0f} s: "
        f"{verdict.outcome['read']} read, {verdict.outcome['refused']} refused, "
        f"{len(verdict.failures)} failures; in the process that opens files "
        f"{verdict.contained['crash']} crashes and {verdict.contained['hang']} hangs; "
        f"the slowest took {verdict.longest:.1f} s."
    )
    raise SystemExit(bool(verdict.failures))


if __name__ == "__main__":
    main()
