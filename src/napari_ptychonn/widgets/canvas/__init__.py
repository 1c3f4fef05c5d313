"""The layers of one session in napari's canvas."""
