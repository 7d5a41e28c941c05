"""The format of an index as tables, from the rules that the code keeps."""

from html import escape

import pandas as pd
from IPython.display import Markdown

from studylib.book.tables import Table
from studylib.datasets.index import NOT_HASHED, OPTIONAL, REQUIRED, SPLITS
from studylib.video import faults

MEANINGS = {
    "path": "the video's file, relative to the root, with forward slashes; none leads outside",
    "label": "number of its class, from 0",
    "num_frames": "frames that decoding gives, not what the header says",
    "fps": "frames a second, 0 where it is unknown",
    "width": "pixels, as shown",
    "height": "pixels, as shown",
    "split1": "train, test or nothing (in neither part)",
    **dict.fromkeys(SPLITS[1:], "the same of a further split"),
    "labels": "all right classes, where a video may have several (Sports-1M); label is the first",
    "timeline": "times, keyframes and places of its frames, so that no file is looked through again",
    "sha256": "SHA-256 of the file, of generated videos",
}


def columns_table() -> Table:
    """The columns of an index with type, meaning, and whether the manifest's hash covers them."""
    types = REQUIRED | dict.fromkeys(SPLITS, "string") | OPTIONAL
    always = {*REQUIRED, SPLITS[0]}
    rows = [
        {
            "column": f"<code>{column}</code>",
            "type": escape(str(kind)),
            "what": f'<span class="prose">{escape(MEANINGS[column])}</span>',
            "there": "always" if column in always else "where it applies",
            "in the hash": "no" if column in NOT_HASHED else "yes",
        }
        for column, kind in types.items()
    ]
    return Table(pd.DataFrame(rows), "Columns of an index; a dataset may add others, which the hash covers too.")


def limit_note() -> Markdown:
    """What share of broken videos ends a run."""
    return Markdown(
        f"A run goes on with broken videos up to **{faults.LARGEST_SHARE:.0%}** of a part. With more of them it stops "
        "and says so: then something else is wrong, a disk or a dataset half copied."
    )
