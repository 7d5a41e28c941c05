"""A video file becomes frames, clips and flow, the same on every machine.

`reading` finds a file's frames, reads clips of them and writes videos; `clips` says which frames make a clip; `flow` is
the second stream. What reading many files takes is here too: `files`, `machine`, `faults`. Imports no other room.
"""
