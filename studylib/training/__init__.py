"""One run, from its spec to its results: `python -m studylib.training RUN_FOLDER`.

`spec` describes a run. `run` trains and tests it; `epoch` takes its steps; `loading` brings it clips. What they work
with is a `session`: network, optimiser, the `devices` and processes it has, and how far it is. The scores of a test are
`evaluation`'s. `launch` starts all this from a notebook. Imports nets, video and datasets.
"""
