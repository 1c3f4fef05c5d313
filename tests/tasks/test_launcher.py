"""Several processes of one command: what is heard of them, and how they end."""

import os
import sys
import time

import pytest

from napari_ptychonn.errors import InputError
from napari_ptychonn.tasks import launcher
from napari_ptychonn.tasks.launcher import FirstMemberError, run_processes

BEGINNING = """
import os, signal, sys, time
rank = int(os.environ["RANK"])
"""


def never():
    return False


def command(program):
    return [sys.executable, "-c", BEGINNING + program]


def test_each_knows_its_place_and_only_the_first_is_heard(capfd):
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR")
    run_processes(command(f"print([os.environ[name] for name in {names}])"), 2, never)
    assert capfd.readouterr().out == "['0', '0', '2', '127.0.0.1']\n"


def test_the_cores_are_shared_out_unless_somebody_has_said_otherwise(capfd, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    show = command("print(os.environ['OMP_NUM_THREADS'])")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    run_processes(show, 2, never)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    run_processes(show, 2, never)
    assert capfd.readouterr().out == "4\n3\n"


def test_all_are_asked_to_stop():
    asked = []

    def should_stop():
        asked.append(1)
        return len(asked) > 3

    run_processes(command("sys.exit(sys.stdin.readline() != 'stop\\n')"), 2, should_stop)


def test_one_that_fails_is_quoted_and_the_rest_are_ended(monkeypatch):
    monkeypatch.setattr(launcher, "GRACE", 0.2)
    program = "sys.exit('one\\nerror: no memory.') if rank else time.sleep(100)"
    began = time.monotonic()
    with pytest.raises(InputError, match=r"^process 2 of 2: no memory\.$"):
        run_processes(command(program), 2, never)
    assert time.monotonic() - began < 60


def test_the_cause_is_reported_not_who_lost_it():
    program = f"time.sleep(0.5 if rank == 0 else 0); sys.exit({launcher.LOST} if rank == 0 else 1)"
    with pytest.raises(InputError, match=r"^process 2 of 2: "):
        run_processes(command(program), 2, never)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
def test_one_that_is_killed_is_one_sentence(monkeypatch):
    monkeypatch.setattr(launcher, "GRACE", 0.2)
    program = "os.kill(os.getpid(), signal.SIGKILL) if rank else time.sleep(100)"
    with pytest.raises(InputError, match=r"process 2 of 2 was ended from outside \(SIGKILL\)"):
        run_processes(command(program), 2, never)


def test_what_the_first_one_has_said_is_not_said_twice(capfd):
    with pytest.raises(FirstMemberError):
        run_processes(command("sys.exit('error: no such file.')"), 2, never)
    assert capfd.readouterr().err == "error: no such file.\n"


def test_one_that_was_late_does_not_spoil_what_the_first_has_saved(monkeypatch):
    monkeypatch.setattr(launcher, "GRACE", 0.2)
    run_processes(command("time.sleep(100 if rank else 0)"), 2, never)


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends it there")
def test_none_is_left_when_the_one_that_waits_is_interrupted(tmp_path):
    def interrupted():
        if len(list(tmp_path.iterdir())) == 2:
            raise KeyboardInterrupt
        return False

    program = f"open(r'{tmp_path}/' + str(os.getpid()), 'w').close(); time.sleep(100)"
    with pytest.raises(KeyboardInterrupt):
        run_processes(command(program), 2, interrupted)
    for file in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.name), 0)
