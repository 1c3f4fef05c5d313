"""Where each program keeps frames, positions, probe and object in its files."""
