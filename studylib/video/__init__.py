"""A video file becomes frames, clips and flow, the same on every machine.

`reading` reads clips of a file and writes videos; `clips` says which frames make a clip; `flow` is the second stream.
"""
