"""The command line: one module for each command."""

from napari_ptychonn.cli.app import main

__all__ = ["main"]
