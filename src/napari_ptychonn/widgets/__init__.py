"""The dock: the only place that wires the session to napari and Qt."""
