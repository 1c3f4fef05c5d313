"""What `benchmarks/run.py` measures: one module a section, each with `measure(setting)`."""
