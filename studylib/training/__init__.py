"""One run, from its spec to its results: `python -m studylib.training RUN_FOLDER`.

`spec` describes a run. `run` trains and tests it; `epoch` takes its steps, and holds what they work with; `loading`
brings it clips. The scores of a test are `evaluation`'s. `launch` starts all this from a notebook.
"""
