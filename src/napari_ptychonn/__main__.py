"""``python -m napari_ptychonn``."""

from napari_ptychonn.cli.app import main

if __name__ == "__main__":
    main()
