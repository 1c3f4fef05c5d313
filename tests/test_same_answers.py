"""The command line answers what release 0.1.0 answered: data exactly, floats closely.

Sentences for people may be worded anew, so that of these only the count and the
numbers in them are compared.  New keys may be added.
"""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).parent / "fixtures"
STORED = FIXTURES / "answers-0.1"
ANSWERS = runpy.run_path(str(FIXTURES / "answers.py"))
SIMULATED: dict[str, list[str]] = ANSWERS["SIMULATED"]
REAL: dict[str, list[str]] = ANSWERS["REAL"]

SENTENCES = frozenset({"companions", "error", "notes", "warnings"})


def numbers(sentence: str) -> list[str]:
    """Numbers in a sentence, sorted, for its words may change places."""
    return sorted(n.rstrip(".,") for n in re.findall(r"(?<![A-Za-z])\d[\d.,]*", sentence))


def differences(stored: Any, current: Any, relative: float, absolute: float) -> list[str]:
    """Where the current answer is another one, as 'path: stored, current'."""

    def look(stored: Any, current: Any, where: str) -> list[str]:
        key = where.rsplit(".", 1)[-1]
        if key in SENTENCES:
            then = [stored] if isinstance(stored, str) else stored
            now = [current] if isinstance(current, str) else current
            same = isinstance(now, list) and sorted(map(numbers, then)) == sorted(map(numbers, now))
            return [] if same else [f"{where}: {stored!r}, {current!r}"]
        if isinstance(stored, dict) and isinstance(current, dict):
            missing = [f"{where}.{k}: missing" for k in stored if k not in current]
            shared = [k for k in stored if k in current]
            return missing + [
                d for k in shared for d in look(stored[k], current[k], f"{where}.{k}")
            ]
        if isinstance(stored, list) and isinstance(current, list) and len(stored) == len(current):
            pairs = enumerate(zip(stored, current, strict=True))
            return [d for k, (a, b) in pairs for d in look(a, b, f"{where}[{k}]")]
        if type(stored) is float and isinstance(current, float | int):
            # Lengths in metres are far below any absolute tolerance.
            least = absolute if abs(stored) > 1e-6 else 0.0
            same = current == pytest.approx(stored, rel=relative, abs=least)
            return [] if same else [f"{where}: {stored}, {current}"]
        same = type(stored) is type(current) and stored == current
        return [] if same else [f"{where}: {stored!r}, {current!r}"]

    return look(stored, current, "")


def check(name: str, question: list[str], inputs: Path, output: Path, stored: Path) -> None:
    told = json.loads(stored.read_text(encoding="utf-8"))
    # What a file says is read exactly; predictions differ a little between processors.
    relative, absolute = (1e-6, 0.0) if question[0] == "info" else (2e-3, 2e-4)
    current = ANSWERS["answer"](name, question, inputs, output)
    assert not differences(told, current, relative, absolute)


def test_differences_are_noticed() -> None:
    """The comparison can fail: in keys, data, floats, and numbers in sentences."""
    stored = {"frames": 20, "step": 4e-8, "notes": ["1 of 256 pixels"], "unit": "m"}
    assert not differences(stored, stored | {"new": 1}, 1e-6, 1e-4)
    assert not differences(stored, stored | {"notes": ["of 256 pixels, 1"]}, 1e-6, 1e-4)
    for change in (
        {"frames": 21},
        {"step": 5e-8},
        {"notes": ["2 of 256 pixels"]},
        {"notes": []},
        {"unit": "pixel"},
        {"unit": None},
    ):
        assert len(differences(stored, stored | change, 1e-6, 1e-4)) == 1
    assert differences(stored, {}, 1e-6, 1e-4)


@pytest.mark.parametrize("name", SIMULATED)
def test_simulated(name: str, tmp_path: Path) -> None:
    check(name, SIMULATED[name], FIXTURES, tmp_path, STORED / f"{name}.json")


@pytest.mark.parametrize("name", [n for n, q in REAL.items() if q[0] == "info"])
def test_real(name: str, real_data: Path, tmp_path: Path) -> None:
    check(name, REAL[name], real_data, tmp_path, STORED / "real" / f"{name}.json")


def test_real_prediction(real_data: Path, tmp_path: Path) -> None:
    """A prediction of the Siemens star, then compared with both of its reconstructions."""
    for name in ("predict-star", "compare-star", "compare-star-first-387"):
        check(name, REAL[name], real_data, tmp_path, STORED / "real" / f"{name}.json")
