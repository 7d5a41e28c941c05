"""One run, from its spec to its results: `python -m studylib.training RUN_FOLDER`.

`spec` describes a run; `run` trains and tests it; a clip goes from `loading` through `inputs` to a step of `epoch`; the
scores of the test are `evaluation`'s. Checkpoints, several processes, precision and provenance are beside them.
Imports nets, video and datasets.
"""
