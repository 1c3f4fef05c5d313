"""Dataset mappings: roles assigned to datasets by hand."""
