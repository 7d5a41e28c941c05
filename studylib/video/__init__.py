"""A video file becomes frames, clips and flow, the same on every machine.

`reading` says where the frames of a file are, reads clips frame-exactly and writes videos; `clips`
says which frames make a clip; `flow` is the second stream. What reading many files takes is here too: `files` (whole or
not there), `parallel`, `environment`, `faults`. Imports no other room.
"""
