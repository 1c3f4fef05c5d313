"""How a child process is heard and how its end is told, with children of a few lines."""

import os
import signal
import subprocess
import sys
import time

import pytest

from napari_ptychonn.errors import InputError
from napari_ptychonn.reconstruction import worker_process as child_process
from napari_ptychonn.reconstruction.worker_process import EngineError, WorkerProcess


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Start a child whose program is given."""
    started = []

    def start(program, **options):
        (tmp_path / "little_child.py").write_text(program)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr(child_process, "MODULE", "little_child")
        started.append(WorkerProcess(tmp_path, **options))
        return started[-1]

    yield start
    for each in started:
        each.close()


def message(child, seconds=20.0):
    return child.next_message(seconds)


def test_messages_come_one_by_one_and_words_go_back(child):
    echo = child(
        "import json, sys\n"
        "print(json.dumps({'number': 1}), flush=True)\n"
        "for line in sys.stdin: print(json.dumps({'heard': line.strip()}), flush=True)\n"
    )
    assert message(echo) == {"number": 1}
    assert echo.next_message(0.01) is None
    echo.acknowledge()
    assert message(echo) == {"heard": "taken"}
    assert not echo.is_overdue
    echo.stop()
    echo.stop()
    assert message(echo) == {"heard": "stop"}
    time.sleep(child_process.PATIENCE + 0.05)
    assert echo.is_overdue


def test_a_failure_is_its_own_sentence(child):
    failing = child(
        "import json\nprint(json.dumps({'failed': 'there is not enough memory.', 'defect': False}))"
    )
    with pytest.raises(InputError, match=r"^there is not enough memory\.$"):
        message(failing)


def test_a_defect_carries_what_was_printed(child):
    failing = child(
        "import json, sys\n"
        "print('Traceback of pty-chi', file=sys.stderr, flush=True)\n"
        "print(json.dumps({'failed': 'KeyError: 7', 'defect': True}))"
    )
    with pytest.raises(EngineError, match=r"^KeyError: 7") as error:
        message(failing)
    assert "Traceback of pty-chi" in error.value.__notes__[0]


def test_an_ending_without_a_word_is_told_with_its_last_line(child):
    crashing = child("raise ValueError('boom')")
    with pytest.raises(EngineError, match="exit code 1: ValueError: boom") as error:
        message(crashing)
    assert "Traceback" in error.value.__notes__[0]


@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
def test_kill_minus_nine_is_one_clear_sentence(child):
    waiting = child("import time\nprint('{}', flush=True)\ntime.sleep(60)")
    assert message(waiting) == {}
    os.kill(waiting.pid, signal.SIGKILL)
    with pytest.raises(InputError) as error:
        message(waiting)
    assert str(error.value) == (
        "the reconstruction process was ended from outside (SIGKILL), as the system does when "
        "memory is short; nothing else was touched."
    )
    waiting.stop()
    waiting.acknowledge()


def test_closing_ends_a_child_that_does_not_listen(child):
    deaf = child("import time\nprint('{}', flush=True)\ntime.sleep(60)")
    message(deaf)
    began = time.monotonic()
    deaf.close()
    assert time.monotonic() - began < 5


def test_the_environment_goes_along(child):
    told = child(
        "import os, json\nprint(json.dumps({'gpu': os.environ['CUDA_VISIBLE_DEVICES']}))",
        environment={"CUDA_VISIBLE_DEVICES": "3"},
    )
    assert message(told) == {"gpu": "3"}


def test_a_child_deletes_no_folder_that_is_not_a_job(tmp_path):
    pytest.importorskip("ptychi")
    (tmp_path / "thesis.txt").write_text("irreplaceable")
    command = [sys.executable, "-m", "napari_ptychonn.reconstruction.worker", str(tmp_path)]
    subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert (tmp_path / "thesis.txt").read_text() == "irreplaceable"
