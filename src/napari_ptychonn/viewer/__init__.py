"""Layer specifications and the view model of the canvas; imports neither Qt nor napari."""
