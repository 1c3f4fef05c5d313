"""Tasks that the window and the command line share: load, train, predict, reconstruct, compare."""
