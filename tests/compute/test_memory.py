"""Memory of the machine, and where the system does not say."""

import os

import psutil
import pytest

from napari_ptychonn.compute.memory import physical_memory


def test_it_is_what_the_system_says():
    assert physical_memory() == pytest.approx(psutil.virtual_memory().total, rel=0.01)


def test_without_an_answer_it_is_a_guess(monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    assert physical_memory() == 16 * 2**30
