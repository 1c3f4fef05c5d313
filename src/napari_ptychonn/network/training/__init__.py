"""Training: measured and virtual frames, the optimiser, the processes that share it."""
