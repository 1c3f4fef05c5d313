"""The dialog that maps the datasets of a file."""
