"""What the window and the command line run: train, predict, reconstruct, compare, load."""
