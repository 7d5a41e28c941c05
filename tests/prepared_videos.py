"""Small videos to prepare, and what to look at when they are."""

from pathlib import Path

import pytest

from studylib.datasets import preparing
from studylib.datasets.index import Index, write_index
from studylib.datasets.preparing import Format, prepare
from studylib.video.clips import scaled_size
from studylib.video.reading import probe, read_clips, write_video
from tests.made_videos import make, number_shown, numbered_frames

SMALL = Format(resolution=28)  # 32 x 43
SIZE = scaled_size(28)
KINDS = ("b_frames.mp4", "mpeg4_odd.avi", "one_keyframe.mp4", "open_gops.mkv", "turned_90.mp4", "uneven.mkv")


def make_originals(root: Path) -> Path:
    """Videos of 40 frames that show their numbers, one of a single frame, and one that is damaged in the middle."""
    root = root / "count"
    root.mkdir()
    for name in KINDS:
        make(name, root)
    write_video(root / "single.mp4", numbered_frames(1), 25)
    content = bytearray((root / "b_frames.mp4").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = b"\x55" * 600
    (root / "damaged.mp4").write_bytes(content)
    return root.parent


def make_five(root: Path) -> Index:
    """Five videos of a few frames, in `root`/videos."""
    for number in range(5):
        write_video(root / "videos" / f"{number}.mp4", numbered_frames(6 + number), 25)
    return index_of(root)


def index_of(root: Path, name: str = "five", **columns: list) -> Index:
    """The videos in `root`/videos as they are now."""
    paths = sorted(path.name for path in (root / "videos").iterdir())
    infos = [probe(root / "videos" / path) for path in paths]
    told = {key: [getattr(info, key) for info in infos] for key in ("num_frames", "fps", "width", "height")}
    parts = {"split1": ["train", "test", *["test"] * (len(paths) - 2)][: len(paths)]}
    columns = {"path": paths, "label": [0] * len(paths), **told, **parts, **columns}
    return write_index(name, root / "videos", ["a", "b"], columns, {"dataset": name}, root)


def note_transcoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the originals that are transcoded from now on."""
    names, transcode = [], preparing.transcode

    def noted(original: Path, *arguments: object) -> tuple[bytes, dict]:
        names.append(original.name)
        return transcode(original, *arguments)

    monkeypatch.setattr(preparing, "transcode", noted)
    return names


def again(index: Index) -> Index:
    return prepare(index, SMALL, workers=1)


def shown(index: Index) -> dict[str, list[int]]:
    """The numbers that the frames of every video show, read as a run reads them."""
    rows = ((row, *index.video(row)) for row in range(len(index.table)))
    clips = {row: read_clips(video, [0], known.info.num_frames, SIZE, known)[0].numpy() for row, video, known in rows}
    return {index.table["path"][row].as_py(): [number_shown(frame) for frame in clip] for row, clip in clips.items()}


def stop(*_: object, **__: object) -> None:
    """In the place of a function: Ctrl-C."""
    raise KeyboardInterrupt


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


FIVE = {f"{number}.mp4": list(range(6 + number)) for number in range(5)}
