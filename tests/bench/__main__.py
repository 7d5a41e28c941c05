"""`make bench`, or `python -m tests.bench NAME` for one of them. Benchmarks print; they never fail a test."""

import importlib
import sys

NAMES = ("training_step", "rendering")

for name in sys.argv[1:] or NAMES:
    print(f"== {name}")
    importlib.import_module(f"tests.bench.{name}").main()
