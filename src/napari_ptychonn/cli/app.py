"""The command line: one module for each command, put together here.

Results go to stdout, everything else to stderr.  Exit code 0, 1 for an error in
one sentence, 2 for wrong usage, 3 for a lost process, 130 for a stopped prediction.  torch is
imported by the commands that compute, so that ``--help`` and ``info`` are quick.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from napari_ptychonn.cli.compare import compare
from napari_ptychonn.cli.console import print_status
from napari_ptychonn.cli.convert import convert
from napari_ptychonn.cli.demo import demo
from napari_ptychonn.cli.info import info
from napari_ptychonn.cli.predict import predict
from napari_ptychonn.cli.pretrain import practise, pretrain
from napari_ptychonn.cli.reconstruct import reconstruct
from napari_ptychonn.cli.study import study
from napari_ptychonn.cli.train import train, train_task
from napari_ptychonn.compute.openmp import wait_passively
from napari_ptychonn.errors import InputError, LostProcessError

LOST = 3
"""Exit code of one of several training processes after another one is lost."""

app = typer.Typer(
    name="napari-ptychonn",
    help="Train PtychoNN on part of a ptychography scan and predict the rest.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (info, reconstruct, train, pretrain, predict, compare, convert, demo):
    app.command()(command)
app.command(hidden=True)(practise)
app.command(hidden=True)(train_task)
app.add_typer(study)


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from napari_ptychonn import __version__

        print(f"napari-ptychonn {__version__}")
        raise typer.Exit
    _configure_logging()


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0, 1 for an error in one sentence, 2 for wrong usage."""
    wait_passively()
    try:
        app(arguments, prog_name="napari-ptychonn", obj=arguments or sys.argv[1:])
    except LostProcessError as error:
        print_status(f"error: {error}")
        raise SystemExit(LOST) from None
    except InputError as error:
        print_status(f"error: {error}")
    except BrokenPipeError:
        # The reader of stdout is gone; without this, Python reports it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        reason = str(error).strip().splitlines() or [""]
        where = _write_log()
        print_status(
            f"error: {type(error).__name__}: {reason[0]}"
            f" (this is a defect of napari-ptychonn; details are in {where})"
        )
    raise SystemExit(1)


def _configure_logging() -> None:
    """Print warnings of the package; silence those of libraries."""
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(logging.NullHandler())
    package = logging.getLogger("napari_ptychonn")
    if not package.handlers:
        handler = _CurrentStderr()
        handler.setFormatter(logging.Formatter("%(message)s"))
        package.addHandler(handler)
    package.setLevel(logging.WARNING)
    package.propagate = False


class _CurrentStderr(logging.Handler):
    """Writes to the current `sys.stderr`, which tests and libraries replace."""

    def emit(self, record: logging.LogRecord) -> None:
        print_status(self.format(record))


def _write_log() -> Path:
    """Append the current exception with its traceback to the log file."""
    from datetime import datetime

    from platformdirs import user_log_path

    path = user_log_path("napari-ptychonn", appauthor=False) / "napari-ptychonn.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"\n{datetime.now().astimezone().isoformat()} {sys.argv}\n")
            log.write(traceback.format_exc())
    except OSError:
        return Path(os.devnull)
    return path


if __name__ == "__main__":
    main()
