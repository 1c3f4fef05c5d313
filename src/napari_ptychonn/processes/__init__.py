"""Programs of this package that run beside the one that a person started."""
