"""The code of README, documentation and examples: Python runs, commands and links are checked.

A Python block runs in a folder that holds `scan.h5` (a small simulated scan with its
reconstruction), `model.ptychonn` and `result.h5`; trainings and reconstructions end after a few
steps.  A block that cannot run has the comment `<!-- not run: REASON -->` on the line before it.
"""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

import napari_ptychonn
from napari_ptychonn import (
    EngineOptions,
    Simulation,
    TrainingOptions,
    read_result,
    read_scan,
    reconstruct,
    train,
)
from napari_ptychonn.cli.app import app, main
from napari_ptychonn.io import write_training_data

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
STEPS = 4
FENCE = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """Fenced blocks of all pages in some languages."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match["language"] in languages:
                line = text.count("\n", 0, match.start("text")) + 1
                found.append(Block(page, line, match["language"], match["text"], match["reason"]))
    return found


def commands(script: str, program: str = "napari-ptychonn") -> Iterator[list[str]]:
    """Arguments of each call of a program in a shell script; also as `-m napari_ptychonn`."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = [word.replace("-m", "", 1) if word == "-m" else word for word in lexer]
        for at, word in enumerate(words):
            if word == program or (word, words[at - 1]) == (program.replace("-", "_"), ""):
                rest = words[at + 1 :]
                end = next((i for i, w in enumerate(rest) if set(w) <= set("();<>|&")), len(rest))
                yield rest[:end]


def find_command(arguments: list[str]) -> tuple[Any, list[str]]:
    """Return the click command of the first arguments and the arguments that are left."""
    command: Any = typer.main.get_command(app)
    rest = list(arguments)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    return command, rest


def check_arguments(arguments: list[str]) -> None:
    """Parse a command line without running it; raises where command or options do not exist."""
    command, rest = find_command(arguments)
    assert not command.hidden and not command.deprecated, f"{command.name} is deprecated"
    command.make_context(command.name, rest)


def options_of(command: Any) -> list[set[str]]:
    """Long names of each option of a command; of a pair `--a/--no-a` both."""
    names = [
        {name for name in (*each.opts, *each.secondary_opts) if name.startswith("--")}
        for each in command.params
        if not getattr(each, "hidden", False)
    ]
    return [each for each in names if each and not each & {"--help", "--output"}]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of scan.h5, 468 frames in 36 lines with a reconstruction, its model and result."""
    folder = tmp_path_factory.mktemp("documentation")
    simulated = Simulation(points=(36, 13), frame_size=32).run()
    write_training_data(folder / "scan.h5", simulated.scan, simulated.reconstruction)
    scan = str(folder / "scan.h5")
    model, result = str(folder / "model.ptychonn"), str(folder / "result.h5")
    for arguments in (
        ["train", scan, "--frames", "0:400", "--steps", str(STEPS), "-o", model],
        ["predict", scan, "--model", model, "-o", result],
    ):
        run(arguments)
    return folder


@pytest.fixture
def folder(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files as the present folder, and `train` and `reconstruct` of a few steps."""
    for file in files.iterdir():
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)

    def train_briefly(
        scan: Any, labels: Any, region: Any, options: Any = None, **more: Any
    ) -> Iterator[Any]:
        options = replace(options or TrainingOptions(), steps=STEPS)
        return train(scan, labels, region, options, **more)

    def reconstruct_briefly(scan: Any, options: Any = None, **more: Any) -> Iterator[Any]:
        return reconstruct(scan, replace(options or EngineOptions(), iterations=2), **more)

    monkeypatch.setattr(napari_ptychonn, "train", train_briefly)
    monkeypatch.setattr(napari_ptychonn, "reconstruct", reconstruct_briefly)
    return tmp_path


def run(arguments: list[str]) -> None:
    """Run a command line in this process."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code in (0, None), arguments


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_block_runs(block: Block, folder: Path) -> None:
    if block.reason:
        compile(block.text, str(block), "exec")
        return
    if "reconstruct(" in block.text:
        pytest.importorskip("ptychi")
    # Lines of a traceback are those of the page.
    exec(compile("\n" * (block.line - 1) + block.text, str(block.page), "exec"), {})


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_commands_and_options_of_a_shell_block_exist(block: Block) -> None:
    for arguments in commands(block.text):
        check_arguments(arguments)
    for line in block.text.replace("\\\n", " ").splitlines():
        if match := re.match(r"(?:.*\s)?python (benchmarks/\S+\.py)(.*?)(?:  #.*)?$", line):
            script = (ROOT / match[1]).read_text(encoding="utf-8")
            unknown = [o for o in OPTION.findall(match[2]) if f'"{o}"' not in script]
            assert unknown == [], match[1]


def test_quick_start_of_the_readme_runs(folder: Path) -> None:
    for name in ("model.ptychonn", "result.h5"):
        (folder / name).unlink()
    texts = [block.text for block in blocks("sh") if block.page == ROOT / "README.md"]
    ran = []
    for arguments in (each for text in texts for each in commands(text)):
        brief = ["--steps", str(STEPS)] if arguments[0] == "train" else []
        run([*arguments, *brief])
        ran.append(arguments[0])
    assert ran == ["info", "train", "predict", "compare"]
    assert len(read_result(folder / "result.h5").predictions) == len(read_scan(folder / "scan.h5"))


def test_synopsis_lists_every_option() -> None:
    page = ROOT / "docs" / "command-line.md"
    (synopsis,) = (block for block in blocks("text") if block.page == page)
    for line in synopsis.text.splitlines():
        words = line.split()[1:]
        command, _ = find_command(words)
        written = set(OPTION.findall(line))
        options = options_of(command)
        assert written <= set().union(*options), command.name
        assert [each for each in options if not each & written] == [], command.name


@pytest.mark.parametrize(
    "arguments",
    [["train", "scan.h5", "-o", "a", "--frames", "0:4", "--nonsense"], ["nonsense", "scan.h5"]],
)
def test_unknown_commands_and_options_are_found(arguments: list[str]) -> None:
    with pytest.raises(Exception, match="nonsense"):
        check_arguments(arguments)


def test_commands_are_found_in_scripts() -> None:
    script = """
    for scan in *.h5; do
        napari-ptychonn predict "$scan" -o "out/$(basename "$scan")" || echo no >> failed.txt
    done
    torchrun -m napari_ptychonn train a.h5 \\
        --frames 0:8    # a comment
    """
    assert list(commands(script)) == [
        ["predict", "$scan", "-o", "out/$(basename $scan)"],
        ["train", "a.h5", "--frames", "0:8"],
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = re.sub(FENCE, "", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in headings}
            assert anchor in slugs, target


def test_example_trains_predicts_and_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["example", "--points", "12", "--steps", str(STEPS)])
    found = runpy.run_path(str(ROOT / "examples" / "train_and_predict.py"), run_name="__main__")
    covered = np.isfinite(found["image"].phase)
    assert covered.mean() > 0.9
    assert found["comparison"].sentence in capsys.readouterr().out


@pytest.mark.parametrize(
    "script", sorted((ROOT / "examples").glob("*.sbatch")), ids=lambda p: p.name
)
def test_slurm_script_is_valid(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    (arguments,) = commands(re.sub(r"^#.*$", "", text, flags=re.MULTILINE))
    check_arguments([each.replace("$frames", "0:8000") for each in arguments])
    if bash := shutil.which("bash"):
        subprocess.run([bash, "-n", str(script)], check=True)
