"""The structure of the package, as `benchmarks/structure.py` measures it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

LIMITS = {
    "modules in a folder": 16,
    "parameters of a function that is no command": 8,
    "lines of a class": 350,
    "imports that hide a cycle": 0,
}
"""Aims of the structure, enforced here."""

FIRST = '''"""A module."""

# Why there are eleven.
def crowded(a, b, c, /, d, e, *f, g, h, i, j, **k):
    """Take many.

    Parameters are lines of the docstring.
    """
    from package.inner.second import Second

    return Second


def command(a: "Annotated[int, typer.Option()]", b, c, d, e, f, g, h, i):
    return a


@app.command("name")
def decorated(a, b, c, d, e, f, g, h, i):
    def nested():
        return 1

    return nested()
'''
SECOND = '''"""Another."""

from typing import TYPE_CHECKING

from .. import first
from ..third import value

if TYPE_CHECKING:
    import json


class Second:
    def method(self, a):
        import math

        return math.pi

    @staticmethod
    def static(a):
        return a
'''


def measure(root: Path, package: str = "napari_ptychonn") -> dict[str, Any]:
    ended = subprocess.run(
        [
            sys.executable,
            str(ROOT / "benchmarks" / "structure.py"),
            str(root),
            "--package",
            package,
            "--json",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Figures of a package of five modules in two folders."""
    root = tmp_path_factory.mktemp("checkout")
    inner = root / "src" / "package" / "inner"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").write_text("")
    (inner.parent / "first.py").write_text(FIRST)
    (inner.parent / "third.py").write_text("value = 1\n")
    (inner / "__init__.py").write_text("")
    (inner / "second.py").write_text(SECOND)
    return measure(root, "package")


def test_modules_lines_and_folders_are_counted(small: dict[str, Any]) -> None:
    lines = len(FIRST.splitlines()) + len(SECOND.splitlines()) + 1
    assert (small["modules"], small["lines"]) == (5, lines)
    assert small["module_lines"] == {"median": 1, "max": len(FIRST.splitlines())}
    assert small["folders"] == {"package": 2, "package/inner": 1}
    assert small["comment_share"] == pytest.approx(1 / lines)


def test_functions_are_measured_without_docstring_and_self(small: dict[str, Any]) -> None:
    assert small["functions"] == 6
    assert small["function_lines"] == {"median": 3, "p99": 5, "max": 5}
    assert small["longest_function"] == "package.first.decorated"
    assert small["docstring_share"] == pytest.approx(1 / 6)
    assert small["many_parameters"] == [
        {"name": "package.first.crowded", "parameters": 11, "command": False},
        {"name": "package.first.command", "parameters": 9, "command": True},
        {"name": "package.first.decorated", "parameters": 9, "command": True},
    ]
    assert small["most_parameters"] == 11
    assert small["longest_class"] == {"name": "package.inner.second.Second", "lines": 9}


def test_an_import_inside_a_function_that_hides_a_cycle_is_found(small: dict[str, Any]) -> None:
    assert small["imports_in_functions"] == 2
    assert small["imports_hiding_a_cycle"] == ["package.first -> package.inner.second"]


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return measure(ROOT)


def test_folders_are_small(figures: dict[str, Any]) -> None:
    limit = LIMITS["modules in a folder"]
    assert {name: n for name, n in figures["folders"].items() if n > limit} == {}


def test_functions_have_few_parameters(figures: dict[str, Any]) -> None:
    limit = LIMITS["parameters of a function that is no command"]
    assert [
        f"{each['name']}: {each['parameters']}"
        for each in figures["many_parameters"]
        if each["parameters"] > limit and not each["command"]
    ] == []


def test_classes_are_short(figures: dict[str, Any]) -> None:
    limit = LIMITS["lines of a class"]
    assert [
        f"{each['name']}: {each['lines']}"
        for each in figures["long_classes"]
        if each["lines"] > limit
    ] == []


def test_no_import_inside_a_function_hides_a_cycle(figures: dict[str, Any]) -> None:
    found = figures["imports_hiding_a_cycle"]
    assert len(found) <= LIMITS["imports that hide a cycle"], found
