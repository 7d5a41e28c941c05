"""The datasets of the study, each listed in one index format; `python -m studylib.datasets --help` makes them."""
