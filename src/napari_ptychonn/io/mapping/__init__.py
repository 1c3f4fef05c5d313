"""Which dataset is what, chosen by hand."""
