"""``napari-ptychonn demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_ptychonn.cli.console import (
    print_status,
    progress_bars,
    progress_tracker,
    stop_requests,
)
from napari_ptychonn.cli.options import (
    DeviceOption,
    SeedOption,
)


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder for all files.")
    ] = Path("demo"),
    headless: Annotated[
        bool, typer.Option("--headless", help="Write files and figures only; open no window.")
    ] = False,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
) -> None:
    """Simulate a scan, train, predict, compare, draw figures, and open napari."""
    from napari_ptychonn.cli.demonstration import Demonstration, show_demo

    demonstration = Demonstration(device=device, seed=seed)
    with stop_requests() as stop, progress_bars() as progress:
        files = demonstration.run(output, print_status, progress_tracker(progress), stop)
    for file in files:
        print(file)
    if not headless:
        show_demo(output, report=print_status)
