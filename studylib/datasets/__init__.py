"""The datasets of the study, each listed in one index format; `python -m studylib.datasets --help`.

`building` makes an index (`index`) from `lists`; `miracl` and `pantomime` write their own videos; `preparing`
transcodes those of an index; `frame_cache` keeps their frames decoded. Imports video.
"""
