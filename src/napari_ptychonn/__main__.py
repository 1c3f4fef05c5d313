"""``python -m napari_ptychonn``."""

from napari_ptychonn.cli import main

if __name__ == "__main__":
    main()
