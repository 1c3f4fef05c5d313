"""One child process: messages, words, stop, time limits, and how its end is described."""

import os
import signal
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_ptychonn.processes.subprocess_runner import (
    SubprocessRunner,
    child_environment,
    describe_exit,
    describe_kill,
)


@pytest.fixture
def run(tmp_path):
    """Run a program of a few lines."""
    started = []

    def start(program, **options):
        options = {"stderr": tmp_path / "stderr.txt"} | options
        started.append(SubprocessRunner([sys.executable, "-c", program], **options))
        return started[-1]

    yield start
    for each in started:
        each.close()


def test_only_lines_that_are_json_objects_are_messages(run):
    runner = run("print('a warning')\nprint('[1]')\nprint('{\"a\": 1}')")
    assert runner.next_message(60) == {"a": 1}
    assert runner.has_more
    assert runner.next_message(60) is None
    assert not runner.has_more
    assert runner.next_message(60) is None
    assert runner.wait() == 0


def test_stop_is_sent_once(run):
    runner = run(
        "import json, sys\nfor line in sys.stdin: print(json.dumps({'got': line}), flush=True)"
    )
    assert not runner.is_overdue(0)
    runner.stop()
    runner.stop()
    runner.send("end")
    assert [runner.next_message(60)["got"] for _ in range(2)] == ["stop\n", "end\n"]
    assert runner.is_overdue(0)
    assert not runner.is_overdue(3600)


def test_the_last_line_of_standard_error_is_why_it_ended(run):
    runner = run("import sys; sys.exit('a warning\\nerror: no such device.')")
    assert runner.wait() == 1
    assert runner.last_words() == "no such device."
    assert runner.printed() == "a warning\nerror: no such device.\n"


def test_words_to_a_process_that_has_ended_are_ignored(run):
    runner = run("pass")
    runner.wait()
    runner.stop()
    runner.send("taken")


def test_close_lets_it_end_by_itself_first(run, tmp_path):
    kept = tmp_path / "kept"
    runner = run(
        f"import sys\nprint('{{}}', flush=True)\nsys.stdin.read()\nopen({str(kept)!r}, 'w').close()"
    )
    runner.next_message(60)
    runner.close(60)
    assert kept.exists()
    assert runner.poll() == 0


@pytest.mark.skipif(os.name == "nt", reason="no signals there")
def test_close_ends_one_that_does_not_end_by_itself(run):
    runner = run("import time\nprint('{}', flush=True)\ntime.sleep(3600)")
    runner.next_message(60)
    runner.close(0.1)
    assert runner.poll() == -signal.SIGKILL


def test_the_environment_has_the_folders_that_are_imported_from(run, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "only_here.py").write_text("print('{\"imported\": true}')")
    runner = run("import only_here", environment=child_environment() | {"A": "b"})
    assert runner.next_message(60) == {"imported": True}


@given(code=st.integers(0, 255))
def test_an_exit_code_is_its_number(code):
    assert describe_exit(code) == f"exit code {code}"


@pytest.mark.skipif(os.name == "nt", reason="no signals there")
@given(number=st.sampled_from(signal.Signals))
def test_a_signal_is_its_name(number):
    assert describe_exit(-number) == number.name
    assert number.name in describe_kill(-number)
    assert ("memory" in describe_kill(-number)) == (number == signal.SIGKILL)


def test_an_unknown_signal_is_its_number():
    assert describe_exit(-9999) == "signal 9999"
