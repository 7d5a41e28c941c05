"""The datasets of the study, each listed in one index format; `python -m studylib.datasets --help`.

An index (`index`) is one table of videos, classes and splits, and a hash over it. `building` makes one from `lists`;
`miracl` and `pantomime` write their own videos; `preparing` transcodes those of an index; `frame_cache` keeps their
frames decoded. Imports video.
"""
