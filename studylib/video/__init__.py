"""A video file becomes frames, clips and flow, the same on every machine.

`timeline` opens a file and says where its frames are; `reading` reads clips frame-exactly and writes videos; `clips`
says which frames make a clip; `flow` is the second stream. What reading many files takes is here too: `files` (whole or
not there), `parallel`, `environment`, `faults`. Imports no other room.
"""
