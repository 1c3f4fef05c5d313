"""What a person chooses in a file: ranked, read through the same door, remembered, corrected."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_ptychonn.cli.app import main
from napari_ptychonn.data.scan import ELECTRONVOLT, Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import list_reconstructions, read_reconstruction, read_scan
from napari_ptychonn.io.layouts import user as kept
from napari_ptychonn.io.layouts.format import layout_from_values, layout_to_values
from napari_ptychonn.io.layouts.layout import Field, Layout
from napari_ptychonn.io.layouts.user import save_layout, user_layouts
from napari_ptychonn.io.mapping.inspect import Inspection, holds_datasets, inspect_file
from napari_ptychonn.io.mapping.mapping import DatasetMapping, DatasetRef
from napari_ptychonn.io.mapping.preview import preview_mapping
from napari_ptychonn.io.mapping.roles import PIXEL

Write = Callable[..., Path]
PEERS = Path(__file__).parents[2] / "fixtures" / "peers"
EMPTY = Layout(name="", require=())


@pytest.fixture(autouse=True)
def _no_layouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder of the user's own layouts."""
    monkeypatch.setattr(kept, "layouts_folder", lambda: tmp_path / "config")
    user_layouts.cache_clear()
    yield
    user_layouts.cache_clear()


@pytest.fixture
def strange(
    write_hdf5: Write, counts: Any, raster: Any, probe: Any, image: Any
) -> Callable[..., Path]:
    """A file of an endstation that nobody has heard of."""

    def write(name: str = "run_1.h5", **changes: Any) -> Path:
        contents = {
            "exp/cam/stack": counts,
            "exp/cam/dead_pixels": np.zeros(counts.shape[1:], np.uint8),
            "exp/cam/dist_mm": 1900.0,
            "exp/stage/samy": raster[:, 0] * 1e6,
            "exp/stage/samx": raster[:, 1] * 1e6,
            "exp/stage/ring_current": np.full(len(raster), 102.0),
            "exp/mono@energy_keV": 8.8,
            "exp/cam@pixel_size_um": 75.0,
            "exp/light": probe,
            "exp/guess": image,
        }
        contents = {"exp/mono/x": 0, **contents} | changes
        return write_hdf5(name, {k: v for k, v in contents.items() if v is not None})

    return write


def paths(choice: DatasetMapping) -> dict[str, str]:
    return {role: pick.path for role, pick in choice.picks.items()}


def same(a: Scan, b: Scan) -> None:
    np.testing.assert_array_equal(a.positions, b.positions)
    np.testing.assert_array_equal(a.frames[:], b.frames[:])
    assert (a.unit, a.pixel_size, a.optics) == (b.unit, b.pixel_size, b.optics)
    for mine, other in ((a.valid, b.valid), (a.probe, b.probe)):
        assert (mine is None) == (other is None)
        assert mine is None or np.array_equal(mine, other)


class TestRanking:
    def test_the_plausible_is_chosen_before_anybody_asks(self, strange: Any) -> None:
        found = inspect_file(strange())
        assert "no scan positions" in found.problem
        assert paths(found.choice) == {
            "frames": "exp/cam/stack",
            "positions": "exp/stage/samy",
            "position_x": "exp/stage/samx",
            "probe": "exp/light",
            "object": "exp/guess",
            "mask": "exp/cam/dead_pixels",
            "energy": "exp/mono@energy_keV",
            "distance": "exp/cam/dist_mm",
            "pitch": "exp/cam@pixel_size_um",
        }
        assert [found.choice.picks[r].unit for r in ("energy", "distance", "pitch")] == [  # type: ignore[index]
            "keV",
            "mm",
            "µm",
        ]

    def test_everything_that_can_have_a_role_is_offered(self, strange: Any) -> None:
        found = inspect_file(strange())
        names = [c.branch.name for c in found.ranking.candidates("positions", found.choice.picks)]
        assert names == ["samy", "samx", "ring_current"]
        numbers = {c.branch.name for c in found.ranking.candidates("energy", {})}
        assert {"@energy_keV", "@pixel_size_um", "dist_mm"} <= numbers

    @pytest.mark.parametrize("shape", [(20, 2), (2, 20), (20, 3), (3, 20), (4, 5, 2)])
    def test_both_coordinates_may_be_in_one_array(
        self, shape: Any, write_hdf5: Write, counts: Any
    ) -> None:
        path = write_hdf5("a.h5", {"stack": counts, "q": np.zeros(shape), "t": np.zeros(20)})
        picks = {"frames": DatasetRef(path="stack")}
        ranked = inspect_file(path).ranking.candidates("positions", picks)  # type: ignore[arg-type]
        assert ranked[0].branch.path == "q"
        assert ranked[0].is_plausible
        assert not ranked[1].is_plausible

    def test_the_axes_of_a_raster_are_its_positions(self, write_hdf5: Write, counts: Any) -> None:
        stack = counts.reshape(4, 5, 16, 16)
        path = write_hdf5("a.h5", {"stack": stack, "my": np.arange(4.0), "mx": np.arange(5.0)})
        choice = inspect_file(path).ranking.completed(DatasetMapping(base=EMPTY))
        assert paths(choice) == {"frames": "stack", "positions": "my", "position_x": "mx"}

    def test_numbered_frames_are_offered_as_one_series(
        self, write_hdf5: Write, counts: Any, raster: Any
    ) -> None:
        parts = {f"a/run_{k}": counts[5 * k : 5 * k + 5] for k in range(4)}
        path = write_hdf5("a.h5", parts | {"a/motor_y": raster[:, 0], "a/motor_x": raster[:, 1]})
        choice = inspect_file(path).ranking.completed(DatasetMapping(base=EMPTY))
        assert paths(choice)["frames"] == "a/run_*"
        scan = read_scan(path, choice.layout())
        np.testing.assert_array_equal(scan.frames[:], counts)
        np.testing.assert_array_equal(scan.positions, raster)


class TestRoundTrip:
    def test_what_was_chosen_is_what_is_read(
        self, strange: Any, counts: Any, raster: Any, probe: Any, image: Any
    ) -> None:
        path = strange()
        chosen = inspect_file(path).choice
        picks = chosen.picks | {"positions": DatasetRef(path="exp/stage/samy", unit="µm")}
        layout = replace(chosen, picks=picks).layout()
        scan = read_scan(path, layout)
        np.testing.assert_array_equal(scan.frames[:], counts)
        np.testing.assert_allclose(scan.positions, raster)
        assert scan.unit == "m"
        assert scan.optics.energy_kev == pytest.approx(8.8)
        assert scan.optics.detector_distance == pytest.approx(1.9)
        assert scan.optics.detector_pitch == pytest.approx((75e-6, 75e-6))
        np.testing.assert_array_equal(scan.probe, probe)
        assert list_reconstructions(path, layout) == ("/",)
        np.testing.assert_array_equal(read_reconstruction(path, layout).object, image)

    @pytest.mark.parametrize(
        "file", [p for p in sorted(PEERS.rglob("*")) if p.is_file()], ids=lambda p: p.name
    )
    def test_a_recognised_file_is_read_as_before(self, file: Path) -> None:
        try:
            scan = read_scan(file)
        except InputError:
            pytest.skip("a reconstruction without frames")
        assert scan.source is not None
        found = inspect_file(scan.source)
        assert not found.problem
        layout = layout_from_values(layout_to_values(found.choice.layout("mine")), "row")
        same(read_scan(scan.source, layout), scan)

    def test_a_group_is_written_into_the_paths(self, write_cxi: Write) -> None:
        path = write_cxi()
        found = inspect_file(path)
        assert paths(found.choice)["frames"] == "entry_1/data_1/data"
        assert found.choice.swap, "CXI translations are (x, y, z)"
        same(read_scan(path, found.choice.layout()), read_scan(path))

    def test_energy_in_joules_and_a_unit_that_the_file_has_wrong(
        self, write_hdf5: Write, counts: Any, raster: Any
    ) -> None:
        path = write_hdf5("a.h5", {"dp": counts, "pos": raster * 1e9, "pos@units": "mm",
                                   "e": 8800 * ELECTRONVOLT})  # fmt: skip
        picks: Any = {
            "frames": DatasetRef(path="dp"),
            "positions": DatasetRef(path="pos", unit="nm"),
            "energy": DatasetRef(path="e", unit="J"),
        }
        scan = read_scan(path, DatasetMapping(base=EMPTY, picks=picks).layout())
        np.testing.assert_allclose(scan.positions, raster)
        assert scan.optics.energy_kev == pytest.approx(8.8)
        picks["positions"] = DatasetRef(path="pos", unit=PIXEL)
        assert read_scan(path, DatasetMapping(base=EMPTY, picks=picks).layout()).unit == "pixel"

    def test_two_sizes_of_a_pixel_in_one_array(
        self, write_hdf5: Write, counts: Any, raster: Any
    ) -> None:
        path = write_hdf5("a.h5", {"dp": counts, "pos": raster, "obj_pixel": [10.0, 12.0]})
        picks: Any = {
            "frames": DatasetRef(path="dp"),
            "positions": DatasetRef(path="pos", unit="m"),
            "pixel": DatasetRef(path="obj_pixel", unit="nm"),
        }
        scan = read_scan(path, DatasetMapping(base=EMPTY, picks=picks).layout())
        assert scan.pixel_size == pytest.approx((10e-9, 12e-9))


class TestOrientation:
    @pytest.fixture
    def found(self, write_hdf5: Write, counts: Any, raster: Any) -> Inspection:
        return inspect_file(write_hdf5("a.h5", {"diffraction": counts, "positions": raster}))

    @pytest.mark.parametrize("swap", [False, True])
    @pytest.mark.parametrize("flip", ["", "y", "x", "yx"])
    def test_positions_in_one_array(
        self, swap: bool, flip: Any, found: Inspection, raster: Any
    ) -> None:
        layout = replace(found.choice, swap=swap, flip=flip).layout()
        expected = (raster[:, ::-1] if swap else raster) * [-1 if a in flip else 1 for a in "yx"]
        np.testing.assert_array_equal(read_scan(found.file, layout).positions, expected)

    def test_positions_in_two_arrays(self, strange: Any, raster: Any) -> None:
        path = strange()
        layout = replace(inspect_file(path).choice, swap=True, flip="x").layout()
        expected = np.stack([raster[:, 1], -raster[:, 0]], axis=1)
        np.testing.assert_allclose(read_scan(path, layout).positions, expected * 1e6)

    def test_positions_of_a_table_beside_the_file(
        self, write_hdf5: Write, counts: Any, raster: Any, tmp_path: Path
    ) -> None:
        path = write_hdf5("a.h5", {"dp": counts})
        np.savetxt(tmp_path / "a.csv", raster, delimiter=",", header="y_m,x_m", comments="")
        found = inspect_file(path)
        assert not found.problem
        assert "positions" not in found.choice.picks
        layout = replace(found.choice, swap=True, flip="y").layout()
        expected = raster[:, ::-1] * [-1, 1]
        np.testing.assert_allclose(read_scan(path, layout).positions, expected)
        again = inspect_file(path, layout).choice
        assert (again.swap, again.flip) == (True, "y")

    @pytest.mark.parametrize("orientation", range(8))
    def test_frames(self, orientation: int, found: Inspection, counts: Any) -> None:
        layout = replace(found.choice, orientation=orientation).layout()
        expected = counts.swapaxes(1, 2) if orientation & 4 else counts
        expected = expected[:, ::-1] if orientation & 2 else expected
        expected = expected[:, :, ::-1] if orientation & 1 else expected
        np.testing.assert_array_equal(read_scan(found.file, layout).frames[:], expected)

    def test_zero_frequency_and_amplitudes(self, found: Inspection, counts: Any) -> None:
        layout = replace(found.choice, zero_frequency="corner", amplitude=True).layout()
        expected = np.fft.fftshift(counts.astype(np.float32) ** 2, axes=(1, 2))
        np.testing.assert_array_equal(read_scan(found.file, layout).frames[:], expected)


class TestRemembered:
    def test_the_next_file_of_that_kind_is_recognised(self, strange: Any, raster: Any) -> None:
        first = strange()
        picks = inspect_file(first).choice.picks | {
            "positions": DatasetRef(path="exp/stage/samy", unit="µm")
        }
        choice = replace(inspect_file(first).choice, picks=picks, flip="y")
        save_layout(choice.layout("Our beamline"))
        second = strange("run_2.h5", **{"exp/guess": None, "exp/mono@energy_keV": 9.0})
        scan = read_scan(second)
        np.testing.assert_allclose(scan.positions, raster * [-1, 1])
        assert scan.optics.energy_kev == pytest.approx(9.0)
        assert "Read by your own layout 'Our beamline'." in scan.notes
        assert inspect_file(second).name == "Our beamline"

    def test_other_files_are_left_alone(
        self, strange: Any, write_product: Write, write_cxi: Write
    ) -> None:
        before = read_scan(write_cxi())
        save_layout(inspect_file(strange()).choice.layout("Our beamline"))
        same(read_scan(write_cxi()), before)

    def test_a_corrected_layout_asks_for_what_the_old_one_did(self, write_cxi: Write) -> None:
        layout = replace(inspect_file(write_cxi()).choice, flip="x").layout("mirrored")
        assert ("entry_1/data_1/data",) in layout.require
        assert ("entry_1/sample_1/geometry_1/translation",) in layout.require
        assert len(layout.require) > 2


SHAPES = {"f": (20, 16, 16), "y": (20,), "yx": (20, 2)}


BARE: Any = {
    "exp/cam/dist_mm": None,
    "exp/mono@energy_keV": None,
    "exp/cam@pixel_size_um": None,
}
NUMBERS: Any = {
    "energy": DatasetRef(number=8.8, unit="keV"),
    "distance": DatasetRef(number=1.9, unit="m"),
    "pitch": DatasetRef(number=75.0, unit="µm"),
}


class TestTyped:
    """Numbers that no dataset has."""

    def choice(self, path: Path, **picks: DatasetRef) -> DatasetMapping:
        found = inspect_file(path).choice
        unit = {"positions": DatasetRef(path="exp/stage/samy", unit="µm")}
        return replace(found, picks=found.picks | unit | (picks or NUMBERS))

    def test_they_are_what_a_dataset_would_say(self, strange: Any) -> None:
        whole = strange()
        found = inspect_file(whole).choice
        picks = found.picks | {"positions": DatasetRef(path="exp/stage/samy", unit="µm")}
        told = read_scan(whole, replace(found, picks=picks).layout())
        bare = strange("bare.h5", **BARE)
        scan = read_scan(bare, self.choice(bare).layout())
        assert scan.optics.wavelength == told.optics.wavelength
        assert scan.optics.detector_pitch == told.optics.detector_pitch
        assert scan.pixel_size == pytest.approx(told.pixel_size, rel=1e-12)
        assert (
            "Typed by hand, not in the file: photon energy 8.8 keV, detector distance 1.9 m, "
            "detector pixel 75 µm." in scan.notes
        )

    def test_they_are_remembered_and_shown_again(
        self, strange: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        choice = self.choice(strange("bare.h5", **BARE))
        saved = tomllib.loads(save_layout(choice.layout("Ours")).read_text(encoding="utf-8"))
        assert saved["energy"] == pytest.approx(8800.0)
        assert saved["pitch_x"] == pytest.approx(75e-6)
        again = strange("bare_2.h5", **BARE)
        scan = read_scan(again)
        assert scan.optics.energy_kev == pytest.approx(8.8)
        assert scan.optics.detector_distance == pytest.approx(1.9)
        picks = inspect_file(again).choice.picks
        assert {role: picks[role] for role in NUMBERS} == NUMBERS  # type: ignore[index]
        with pytest.raises(SystemExit, match="0"):
            main(["info", str(again), "--json"])
        told = json.loads(capsys.readouterr().out)
        assert told["layout"] == "Ours"
        assert told["energy_kev"] == pytest.approx(8.8)

    def test_an_object_pixel_counts_whatever_the_positions_are_read_from(
        self, write_hdf5: Write, counts: Any, raster: Any
    ) -> None:
        path = write_hdf5("frames.h5", {"exp/cam/stack": counts})
        np.savetxt(path.with_name("frames.csv"), raster, delimiter=",")
        found = inspect_file(path).choice
        picks = found.picks | {"pixel": DatasetRef(number=12.5, unit="nm")}
        scan = read_scan(path, replace(found, picks=picks).layout())
        assert scan.pixel_size == pytest.approx((12.5e-9, 12.5e-9))

    @pytest.mark.parametrize(
        ("pick", "sentence"),
        [
            (
                DatasetRef(number=8800.0, unit="keV"),
                "8800 keV cannot be; expected 0.03 to 1000 keV.",
            ),
            (
                DatasetRef(number=math.nan, unit="keV"),
                "type a number, in keV, or choose where it is.",
            ),
            (DatasetRef(number=-8.8, unit="keV"), "-8.8 keV cannot be"),
        ],
    )
    def test_what_cannot_be_is_said_before_anything_is_opened(
        self, pick: DatasetRef, sentence: str
    ) -> None:
        picks: Any = {"frames": DatasetRef(path="f"), "energy": pick}
        choice = DatasetMapping(base=EMPTY, picks=picks)
        assert f"Photon energy: {sentence}" in str(choice.missing(SHAPES))

    def test_a_layout_by_hand_says_what_makes_no_sense(self, strange: Any) -> None:
        path = strange("bare.h5", **BARE)
        layout = replace(self.choice(path).layout(), energy=Field(constant=12.0), distance=None)
        scan = read_scan(path, replace(layout, pitch_y=Field(constant=3.0), pitch_x=None))
        notes = " ".join(scan.notes)
        assert any("pitch y of 3 m" in warning for warning in scan.warnings)
        assert "was taken as keV" not in notes, "a typed number has a unit"


class TestMissing:
    def missing(self, **picks: str) -> str | None:
        chosen: Any = {role: DatasetRef(path=path) for role, path in picks.items()}
        return DatasetMapping(base=EMPTY, picks=chosen).missing(SHAPES)

    def test_one_sentence_says_what(self) -> None:
        assert (
            self.missing(positions="y") == "Choose the dataset that holds the diffraction frames."
        )
        sentence = self.missing(frames="f", positions="y")
        assert sentence == "Choose the x positions: y holds one coordinate only."
        assert "y positions" in str(self.missing(frames="f", position_x="y"))

    def test_nothing_is(self) -> None:
        assert self.missing(frames="f", positions="yx") is None
        assert self.missing(frames="f", positions="y", position_x="y") is None


class TestGlimpse:
    def test_it_shows_what_opening_will(
        self, write_hdf5: Write, known: Any, unexplained: Any
    ) -> None:
        path = write_hdf5(
            "a.h5",
            {"stack": known.frames, "where": known.positions, "o": known.image, "p": known.probe},
        )
        picks: Any = {
            role: DatasetRef(path=name)
            for role, name in (
                ("frames", "stack"),
                ("positions", "where"),
                ("object", "o"),
                ("probe", "p"),
            )
        }
        picks["positions"] = DatasetRef(path="where", unit=PIXEL)
        layout = DatasetMapping(base=replace(EMPTY, object_frame="guess"), picks=picks).layout()
        seen = preview_mapping(path, layout)
        assert not seen.problem
        assert (seen.frames, seen.averaged) == (20, 20)
        np.testing.assert_allclose(seen.mean, known.frames.mean(axis=0))
        np.testing.assert_array_equal(seen.positions, known.positions)
        assert seen.reconstruction is not None
        assert unexplained(read_scan(path, layout), seen.reconstruction) < 0.03

    def test_what_can_be_seen_is_shown_beside_what_is_missing(
        self, strange: Any, counts: Any
    ) -> None:
        path = strange()
        chosen = inspect_file(path).choice
        picks = {r: p for r, p in chosen.picks.items() if r not in ("positions", "position_x")}
        seen = preview_mapping(path, replace(chosen, picks=picks).layout())
        assert "no scan positions" in seen.problem
        np.testing.assert_allclose(seen.mean, counts.mean(axis=0))
        assert seen.positions is None

    def test_a_mean_is_cut_short_when_nobody_waits_for_it(self, strange: Any) -> None:
        path = strange()
        assert (
            preview_mapping(path, inspect_file(path).choice.layout(), lambda: True).averaged == 16
        )

    def test_an_object_that_cannot_be_placed_is_only_told_of(
        self, write_hdf5: Write, counts: Any, raster: Any
    ) -> None:
        path = write_hdf5("a.h5", {"dp": counts, "pos": raster, "o": np.ones((30, 30))})
        picks: Any = {
            "frames": DatasetRef(path="dp"),
            "positions": DatasetRef(path="pos"),
            "object": DatasetRef(path="o"),
        }
        seen = preview_mapping(path, DatasetMapping(base=EMPTY, picks=picks).layout())
        assert not seen.problem
        assert seen.reconstruction is None
        assert any(note.startswith("The object is not used") for note in seen.notes)


@pytest.mark.parametrize(
    ("content", "expected"),
    [({"a": np.zeros(5)}, False), ({"a/b": np.zeros((5, 4))}, True), ({}, False)],
)
def test_only_files_with_datasets_are_worth_asking_about(
    content: Any, expected: bool, write_hdf5: Write, tmp_path: Path
) -> None:
    assert holds_datasets(write_hdf5("a.h5", content)) is expected
    (tmp_path / "t.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert not holds_datasets(tmp_path / "t.h5")
    assert not holds_datasets(tmp_path / "nothing.h5")


def test_a_file_without_anything_to_choose_is_surveyed_all_the_same(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["lost"] = h5py.ExternalLink("b.h5", "/data")
    found = inspect_file(tmp_path / "a.h5")
    assert found.problem
    assert found.top[0].kind == "broken"
    assert not found.choice.picks
