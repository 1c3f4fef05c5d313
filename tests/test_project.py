from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

import pytest
import yaml
from npe2 import PluginManifest
from packaging.version import Version

import napari_ptychonn

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "napari_ptychonn"
QT = {"PyQt5", "PyQt6", "PySide2", "PySide6"}


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def project(pyproject: dict[str, Any]) -> dict[str, Any]:
    return pyproject["project"]


@pytest.fixture(scope="module")
def tools(pyproject: dict[str, Any]) -> dict[str, Any]:
    return pyproject["tool"]


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(PACKAGE / "napari.yaml")


def test_version_comes_from_the_tag_and_stands_nowhere_else(project: dict[str, Any]) -> None:
    assert "version" not in project and project["dynamic"] == ["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert "version" not in citation
    assert napari_ptychonn.__version__ == version("napari-ptychonn")


def test_version_of_an_untagged_tree_lies_after_the_last_release(tools: dict[str, Any]) -> None:
    fallback = Version(tools["hatch"]["version"]["raw-options"]["fallback_version"])
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = [Version(each) for each in re.findall(r"^## \[(\d[^]]*)\]", changelog, re.M)]
    assert fallback.is_devrelease and all(fallback > each for each in released)


def test_version_of_a_tree_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    assert napari_ptychonn.__version__ == "0+unknown"


def test_every_public_name_is_there() -> None:
    assert all(getattr(napari_ptychonn, name) is not None for name in napari_ptychonn.__all__)
    assert set(napari_ptychonn.__all__) <= set(dir(napari_ptychonn))


def test_every_json_key_is_documented() -> None:
    from napari_ptychonn.comparison.metrics import Comparison, ImageErrors, PatchErrors
    from napari_ptychonn.comparison.registration import Alignment
    from napari_ptychonn.comparison.ring_correlation import Resolution
    from napari_ptychonn.comparison.speed_up import SpeedUp
    from napari_ptychonn.io.description import Description
    from napari_ptychonn.tasks.epoch_lines import KEYS

    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    values = (Description, Comparison, PatchErrors, ImageErrors, Alignment, Resolution, SpeedUp)
    keys = {field.name for value in values for field in fields(value)}
    keys -= {"aligned", "illuminated"}  # images, and what is called `lit` there
    keys |= {"lit", "saved", "messages", *KEYS}
    assert sorted(key for key in keys if f"`{key}`" not in page) == []


def test_manifest_is_found_by_its_entry_point(manifest: PluginManifest) -> None:
    (found,) = entry_points(group="napari.manifest", name="napari_ptychonn")
    assert found.value == "napari_ptychonn:napari.yaml"
    assert PluginManifest.from_distribution("napari-ptychonn").name == manifest.name


def test_manifest_names_only_what_can_be_imported(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_manifest_has_one_reader(manifest: PluginManifest) -> None:
    # Which of two readers of one plugin napari asks first is left to chance.
    assert len(manifest.contributions.readers or ()) == 1


def test_top_level_manifest_is_a_link_to_the_package() -> None:
    link = ROOT / "napari.yaml"
    # Without symbolic links (Windows), git checks out a file that holds the target's name.
    target = link.readlink() if link.is_symlink() else Path(link.read_text(encoding="utf-8"))
    assert target == Path("src/napari_ptychonn/napari.yaml")


def test_dependencies_have_lower_bounds_only_and_no_qt(project: dict[str, Any]) -> None:
    for requirement in project["dependencies"]:
        version, _, machines = requirement.partition("; ")
        assert re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", version), requirement
        assert not machines or machines.startswith("platform_machine in"), requirement
    names = {requirement.partition(">=")[0].lower() for requirement in project["dependencies"]}
    assert not names & {name.lower() for name in QT}


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("napari_ptychonn", {"torch", "napari", "qtpy", *QT}),
        ("napari_ptychonn.cli.app", {"torch", "napari", "qtpy", *QT}),
        ("napari_ptychonn._manifest", {"torch", "qtpy", *QT}),
        ("napari_ptychonn.widgets", {"torch"}),
    ],
)
def test_import_is_light(module: str, unwanted: set[str]) -> None:
    code = f"import sys, {module}; print(*sorted({unwanted!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_open_dialog_offers_every_file_that_the_reader_takes(manifest: PluginManifest) -> None:
    from napari_ptychonn.widgets.panels.scan import FILTER

    (reader,) = manifest.contributions.readers or ()
    offered = re.search(r"\((.*?)\)", FILTER)
    assert offered is not None
    assert sorted(offered[1].split()) == sorted(reader.filename_patterns)
