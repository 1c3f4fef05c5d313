"""``napari-ptychonn demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_ptychonn.cli.console import (
    print_status,
    progress_bars,
    stop_requests,
    tracker,
)
from napari_ptychonn.cli.options import (
    DeviceOption,
    SeedOption,
)


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where to leave everything.")
    ] = Path("demo"),
    headless: Annotated[
        bool, typer.Option("--headless", help="Only files and pictures, no window.")
    ] = False,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
) -> None:
    """Simulate a scan, train, predict, compare, draw; open napari."""
    from napari_ptychonn.cli.demonstration import Demonstration, show_demo

    demonstration = Demonstration(device=device, seed=seed)
    with stop_requests() as stop, progress_bars() as progress:
        files = demonstration.run(output, print_status, tracker(progress), stop)
    for file in files:
        print(file)
    if not headless:
        show_demo(output, say=print_status)
