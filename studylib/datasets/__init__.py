"""The datasets of the study, each listed in one index format; `python -m studylib.datasets --help`.

An index (`index`) is one table of videos, classes and splits, and a hash over it. A module a dataset makes one from
official lists or folders; `preparing` transcodes one; `frame_cache` keeps its frames decoded; `pantomime` renders its
own. Imports video.
"""
