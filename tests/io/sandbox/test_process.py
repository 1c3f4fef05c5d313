"""The process that opens files: it may crash, hang or be killed, and this one reads on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from napari_ptychonn.data.scan import Scan
from napari_ptychonn.errors import InputError
from napari_ptychonn.io import read_scan
from napari_ptychonn.io.location import Location
from napari_ptychonn.io.sandbox import process as reader
from napari_ptychonn.io.sandbox.opening import open_tree
from napari_ptychonn.io.sandbox.process import ReaderProcess

Write = Callable[..., Path]
Counts = NDArray[np.uint16]
Positions = NDArray[np.float64]

# Frame 13 crashes the library that reads it, frame 14 keeps it busy for ever.
TREACHEROUS = """
import os
from napari_ptychonn.io.sandbox import server as service
from napari_ptychonn.io.containers.hdf5.source import Hdf5Source

read = Hdf5Source.block

def block(self, key):
    if key[0].start == 13:
        os.abort()
    if key[0].start == 14:
        with open(os.environ.get("STUCK", os.devnull), "a") as file:
            file.write(f"{os.getpid()}\\n")
        while True:
            pass
    return read(self, key)

Hdf5Source.block = block
service.main()
"""


@pytest.fixture
def scan(write_hdf5: Write, counts: Counts, raster: Positions) -> Scan:
    return read_scan(write_hdf5("a.h5", {"frames": counts, "positions": raster}))


@pytest.fixture
def treacherous(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scan]:
    reader.end_all()
    monkeypatch.setattr(reader, "_PROGRAM", ("-P", "-c", TREACHEROUS))
    monkeypatch.setattr(reader, "PATIENCE", 2.0)
    yield scan
    reader.end_all()


def pid_of(one: ReaderProcess) -> int:
    assert one.pid is not None
    return one.pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ends(pid: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


def run(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(textwrap.dedent(code))
    return subprocess.run(
        [sys.executable, "-W", "error", str(script), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
    )


def subject(error: InputError) -> tuple[str, str | None]:
    """Name of the file and dataset that an error is about."""
    assert error.file is not None
    return error.file.name, error.dataset


class TestHarm:
    def test_a_crash_is_a_sentence_and_the_next_frame_is_read(
        self, treacherous: Scan, counts: Counts
    ) -> None:
        with pytest.raises(InputError, match="crashed") as caught:
            treacherous.frames[13]
        assert subject(caught.value) == ("a.h5", "frames")
        assert "\n" not in str(caught.value)
        np.testing.assert_array_equal(treacherous.frames[12], counts[12])

    def test_a_hang_is_a_sentence_and_is_not_waited_for_twice(
        self, treacherous: Scan, counts: Counts
    ) -> None:
        with pytest.raises(InputError, match="2 s") as caught:
            treacherous.frames[14]
        assert subject(caught.value) == ("a.h5", "frames")
        begun = time.monotonic()
        with pytest.raises(InputError, match="2 s"):
            treacherous.frames[14]
        assert time.monotonic() - begun < 1
        np.testing.assert_array_equal(treacherous.frames[12], counts[12])

    def test_killed_between_two_questions(self, scan: Scan, counts: Counts) -> None:
        assert scan.frames[1].any()
        for _ in range(3):
            process = pid_of(reader.reader_process())
            os.kill(process, signal.SIGTERM)
            np.testing.assert_array_equal(scan.frames[2], counts[2])

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
    def test_killed_in_the_middle_of_a_question(
        self, treacherous: Scan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(reader, "PATIENCE", 60.0)
        stuck = tmp_path / "stuck"
        stuck.touch()
        monkeypatch.setenv("STUCK", str(stuck))
        said: list[str] = []

        def read() -> None:
            with pytest.raises(InputError) as caught:
                treacherous.frames[14]
            said.append(str(caught.value))

        thread = threading.Thread(target=read)
        thread.start()
        killed: set[int] = set()
        while thread.is_alive():  # it is asked once more, in a new process
            for pid in {int(line) for line in stuck.read_text().splitlines()} - killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            time.sleep(0.02)
        thread.join()
        assert len(killed) == 2
        assert "SIGKILL" in said[0]

    def test_interrupted_in_the_middle_of_an_answer(
        self, scan: Scan, counts: Counts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(reader, "receive", interrupted)
            with pytest.raises(KeyboardInterrupt):
                scan.frames[3]
        np.testing.assert_array_equal(scan.frames[4], counts[4])

    def test_the_window_waits_for_no_job(self, treacherous: Scan, counts: Counts) -> None:
        def job() -> None:
            with pytest.raises(InputError, match="2 s"):
                treacherous.frames[14]

        worker = threading.Thread(target=job)
        worker.start()
        np.testing.assert_array_equal(treacherous.frames[5], counts[5])
        assert worker.is_alive()
        worker.join()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Ctrl-C for one process")
    def test_ctrl_c_is_for_this_process_only(self, scan: Scan) -> None:
        assert scan.frames[1].any()
        process = pid_of(reader.reader_process())
        os.kill(process, signal.SIGINT)
        assert scan.frames[2].any()
        assert pid_of(reader.reader_process()) == process


class TestLife:
    SCRIPT = """
        import os, sys
        from napari_ptychonn.io import read_scan
        from napari_ptychonn.io.sandbox import process as reader
        scan = read_scan(sys.argv[1])  # at the top of a script without a guard
        assert scan.frames[3].sum() > 0
        print(reader.reader_process().pid, flush=True)
        for heavy in ("h5py", "torch", "napari", "qtpy"):
            assert heavy not in sys.modules, heavy
    """

    def test_ends_with_the_program(self, scan: Scan, tmp_path: Path) -> None:
        done = run(self.SCRIPT, tmp_path, str(scan.source))
        assert (done.returncode, done.stderr) == (0, "")
        assert ends(int(done.stdout))

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
    def test_ends_when_the_program_is_killed(self, scan: Scan, tmp_path: Path) -> None:
        code = textwrap.dedent(self.SCRIPT) + "os.kill(os.getpid(), 9)"
        done = run(code, tmp_path, str(scan.source))
        assert done.returncode == -9
        assert ends(int(done.stdout))

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
    def test_ends_when_the_program_is_killed_while_it_hangs(
        self, scan: Scan, tmp_path: Path
    ) -> None:
        code = f"""
            import os, sys, threading
            from napari_ptychonn.io import read_scan
            from napari_ptychonn.io.sandbox import process as reader
            reader._PROGRAM = ("-P", "-c", {TREACHEROUS!r})
            reader.PATIENCE = 2.0
            scan = read_scan(sys.argv[1])
            print(reader.reader_process().pid, flush=True)
            threading.Timer(0.5, os.kill, (os.getpid(), 9)).start()
            scan.frames[14]
        """
        done = run(code, tmp_path, str(scan.source))
        assert done.returncode == -9
        assert ends(int(done.stdout))

    def test_imports_nothing_from_the_folder_it_is_started_in(
        self, scan: Scan, tmp_path: Path
    ) -> None:
        marker = tmp_path / "imported"
        for name in ("h5py", "hdf5plugin", "numpy", "json"):
            (tmp_path / f"{name}.py").write_text(f"open({str(marker)!r}, 'w')")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        script = elsewhere / "script.py"
        script.write_text(textwrap.dedent(self.SCRIPT))
        subprocess.run([sys.executable, script, str(scan.source)], cwd=tmp_path, check=True)
        assert not marker.exists()

    def test_imports_neither_torch_nor_qt(self) -> None:
        code = """
            import sys
            import napari_ptychonn.io.sandbox.server, napari_ptychonn.io.containers.hdf5.tree
            print([m for m in ("torch", "scipy", "skimage", "napari", "qtpy", "magicgui")
                   if m in sys.modules])
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=True
        )
        assert done.stdout.strip() == b"[]"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    def test_a_forked_process_has_one_of_its_own(self, scan: Scan, tmp_path: Path) -> None:
        code = """
            import os, sys
            from napari_ptychonn.io import read_scan
            from napari_ptychonn.io.sandbox import process as reader
            scan = read_scan(sys.argv[1])
            expected = scan.frames[3].sum()
            forked = os.fork()
            for _ in range(50):
                assert scan.frames[3].sum() == expected
            if forked:
                assert os.waitpid(forked, 0)[1] == 0
        """
        done = run(code, tmp_path, str(scan.source))
        assert (done.returncode, done.stderr) == (0, "")

    def test_one_that_does_not_start_says_so(
        self, scan: Scan, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader.end_all()
        with monkeypatch.context() as patch:
            patch.setattr(reader, "_PROGRAM", ("-c", "raise SystemExit(3)"))
            with pytest.raises(RuntimeError, match=r"did not start.*ended with 3"):
                scan.frames[0]
        assert scan.frames[0].any()

    def test_lets_go_of_a_file_with_the_last_reference(
        self, write_hdf5: Write, counts: Counts, raster: Positions
    ) -> None:
        import h5py

        path = write_hdf5("b.h5", {"frames": counts, "positions": raster})
        frames = read_scan(path).frames
        assert frames[0].any()
        with pytest.raises(OSError, match="lock"):
            h5py.File(path, "r+")
        frames.close()  # type: ignore[attr-defined]
        with h5py.File(path, "r+"):
            pass
        assert frames[1].any()
        del frames
        with h5py.File(path, "r+"):
            pass


def test_large_arrays_come_in_pieces(
    write_hdf5: Write, raster: Positions, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_ptychonn.io.sandbox import proxy as remote

    monkeypatch.setattr(remote, "_PIECE", 5000)
    counts = np.random.default_rng(0).integers(0, 999, (4, 5, 30, 40)).astype(np.uint16)
    image = np.random.default_rng(1).normal(size=(90, 110)) + 0j
    path = write_hdf5("a.h5", {"frames": counts, "positions": raster, "probe": image})
    with remote.RemoteTree(path) as tree:
        frames, probe = tree.array("frames"), tree.array("probe")
        assert frames is not None
        assert probe is not None
        np.testing.assert_array_equal(frames.read(), counts)
        np.testing.assert_array_equal(probe.read(), image)
        source = frames.source()
        np.testing.assert_array_equal(
            source.block((2, slice(1, 5), slice(3, 9), slice(0, 40))), counts[2, 1:5, 3:9]
        )
    stack = read_scan(path).frames
    order = np.random.default_rng(2).permutation(20)
    np.testing.assert_array_equal(stack[order], counts.reshape(20, 30, 40)[order])


def test_errors_keep_their_attributes_across_the_process(tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("huge", (2**20, 2**20, 2), "f8", chunks=(1, 2**10, 2))
    with open_tree(Location(file=path)) as tree:
        array = tree.array("huge")
        assert array is not None
        with pytest.raises(InputError) as caught:
            array.source()
    assert subject(caught.value) == ("scan.h5", "huge")
