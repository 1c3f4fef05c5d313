"""What lies beside a scan is found when it fits by name and by content, and only then."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from napari_ptychonn.cli.demonstration import write_scan
from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import describe, read_scan, write_reconstruction
from napari_ptychonn.io.readers.neighbours import neighbours
from napari_ptychonn.io.sidecars import belongs_to_scan, find_sidecars
from napari_ptychonn.simulation.scan import SimulatedScan


@pytest.fixture
def scan(toy: SimulatedScan, tmp_path: Path) -> Scan:
    return read_scan(write_scan(tmp_path / "scan_516.h5", toy.scan))


def names(scan: Scan) -> list[str]:
    return [offer.file.name for offer in find_sidecars(scan)]


def model(file: Path, shape: tuple[int, int]) -> None:
    header = {"preparation": {"frame_shape": list(shape)}}
    save_file({"network.a": np.zeros(3, np.float32)}, file, {"model": json.dumps(header)})


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("scan_516", "scan_516_recon", True),
        ("scan_516", "recon-0516", True),
        ("scan_516", "scan_517_recon", False),
        ("scan_516", "scan_5160", False),
        ("20191008_39_diff", "20191008_39_object_phase", True),
        ("20191008_39_diff", "20191008_40_object_phase", False),
        ("star", "star_object", True),
        ("star", "starfish", False),
        ("star_frames", "star", True),
    ],
)
def test_names_that_belong_together(one: str, other: str, together: bool) -> None:
    assert belongs_to_scan(one, other) == together


def test_a_reconstruction_of_the_same_scan_is_offered(toy: SimulatedScan, scan: Scan) -> None:
    assert scan.source is not None
    write_reconstruction(scan.source.parent / "scan_516_recon.h5", toy.reconstruction)
    (offer,) = find_sidecars(scan)
    assert offer.kind == "reconstruction"
    assert offer.sentence == (
        "scan_516_recon.h5: may be used as reconstruction (pixel 10 nm, 144 of 144 frames)."
    )


def test_what_contradicts_the_scan_is_not_offered(toy: SimulatedScan, scan: Scan) -> None:
    assert scan.source is not None
    folder, made = scan.source.parent, toy.reconstruction
    other_pixel = replace(made, pixel_size=(12e-9, 12e-9))
    write_reconstruction(folder / "scan_516_pixel.h5", other_pixel)
    more = np.arange(200)
    too_many = replace(made, indices=more, positions=np.zeros((200, 2)))
    write_reconstruction(folder / "scan_516_frames.h5", too_many)
    write_reconstruction(folder / "scan_517.h5", made)
    write_scan(folder / "scan_516_frames_only.h5", toy.scan)
    (folder / "scan_516_notes.h5").write_bytes(b"\x89HDF\r\n\x1a\n damaged")
    (folder / "scan_516.txt").write_text("0 1\n")
    assert names(scan) == []


def test_hidden_files_links_out_of_the_folder_and_folders_below_are_left_alone(
    toy: SimulatedScan, scan: Scan, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert scan.source is not None
    folder = scan.source.parent
    write_reconstruction(folder / ".scan_516_hidden.h5", toy.reconstruction)
    (folder / "below").mkdir()
    write_reconstruction(folder / "below" / "scan_516_below.h5", toy.reconstruction)
    outside = tmp_path_factory.mktemp("outside") / "scan_516_outside.h5"
    write_reconstruction(outside, toy.reconstruction)
    if sys.platform != "win32":
        os.symlink(outside, folder / "scan_516_link.h5")
    assert names(scan) == []


def test_the_number_of_files_that_are_looked_at_is_bounded(tmp_path: Path) -> None:
    for k in range(250):
        (tmp_path / f"a{k}b.h5").touch()
    assert len(list(neighbours(tmp_path / "scan.h5", (".h5",)))) == 200


def test_other_positions_are_offered(toy: SimulatedScan, scan: Scan) -> None:
    assert scan.source is not None
    folder = scan.source.parent
    measured = toy.scan.positions * 1.1
    np.savetxt(folder / "scan_516_laser.csv", measured, delimiter=",")
    np.savetxt(folder / "scan_516_same.csv", toy.scan.positions + 1e-6, delimiter=",")
    np.savetxt(folder / "scan_516_short.csv", measured[:9], delimiter=",")
    np.savetxt(folder / "scan_517.csv", measured, delimiter=",")
    with h5py.File(folder / "scan_516_stage.h5", "w") as file:
        file["entry/data/X_Position"] = measured[:, 1] * 1e6
        file["entry/data/Y_Position"] = measured[:, 0] * 1e6
    stage, laser = find_sidecars(scan)
    assert laser.sentence == (
        "scan_516_laser.csv: may be used as positions (144 for 144 frames, 363 nm x 363 nm)."
    )
    assert (stage.file.name, stage.kind) == ("scan_516_stage.h5", "positions")
    for offer in (laser, stage):
        moved = read_scan(scan.source, positions=offer.file)
        np.testing.assert_allclose(moved.positions, measured, atol=1e-12)
        assert f"Positions come from {offer.file.name}, as chosen." in moved.notes
        assert offer.file.name not in names(moved)
    with pytest.raises(InputError, match="has 9 positions"):
        read_scan(scan.source, positions=folder / "scan_516_short.csv")
    (folder / "notes.txt").write_text("nothing")
    with pytest.raises(InputError, match="expected columns of positions"):
        read_scan(scan.source, positions=folder / "notes.txt")


def test_a_model_for_such_frames_is_offered(scan: Scan) -> None:
    assert scan.source is not None
    folder = scan.source.parent
    model(folder / "model_516.safetensors", (64, 64))
    model(folder / "other_516.safetensors", (128, 128))
    save_file({"a": np.zeros(3)}, folder / "foreign_516.safetensors")
    (offer,) = find_sidecars(scan)
    assert (offer.file.name, offer.kind) == ("model_516.safetensors", "model")


def test_objects_without_any_facts_go_by_their_name(scan: Scan) -> None:
    assert scan.source is not None
    np.save(scan.source.parent / "scan_516_object.npy", np.ones((80, 80), np.complex64))
    np.save(scan.source.parent / "scan_9_object.npy", np.ones((80, 80), np.complex64))
    assert names(scan) == ["scan_516_object.npy"]


def test_info_lists_them_and_uses_none(toy: SimulatedScan, scan: Scan) -> None:
    assert scan.source is not None
    write_reconstruction(scan.source.parent / "scan_516_recon.h5", toy.reconstruction)
    told = describe(scan.source, beside=True)
    assert [text.split(":")[0] for text in told.companions] == ["scan_516_recon.h5"]
    assert told.reconstructions == ()
    assert describe(scan.source).companions == ()


def test_a_scan_without_a_file_has_nothing_beside_it(toy: SimulatedScan) -> None:
    assert find_sidecars(toy.scan) == ()
