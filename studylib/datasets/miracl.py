"""MIRACL-VC1 (Rekik et al., 2014): 15 people say 10 words and 10 phrases, ten times each; who is tested was never seen.

Read are mouth crops, a grey or coloured JPEG a frame: ROOT/<speaker>/<words|phrases>/<class 01-10>/<take 01-10>/
color_NNN.jpg, as the public crops have them and the original dataset names them. Each take becomes a video that loses
nothing: every frame once, in order, none added.

    python -m studylib.datasets miracl --root cropped --task words --name miracl-words

The crops are as wide as the mouth, and the square window that a network sees takes 65% of a frame's width: so a frame
gets a border that repeats its edge (`Canvas`), and the whole mouth lies in the middle window.

Splits 1 to 5 leave out three speakers each, so that every speaker is tested once (`FOLDS`); split 6 tests those of a
published result. With `validation`, splits 1 to 4 leave out three of the twelve other speakers instead: settings are
chosen there, and no speaker that split 6 tests is in any part.
"""

import hashlib
import io
import re
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from studylib.datasets.building import MIN_FRAMES, claim, complete, fault_lines, in_one_line, read_journal, stamp_of
from studylib.datasets.building import report as report_of_index
from studylib.datasets.index import DatasetError, Index, index_folder, write_index
from studylib.datasets.lists import Listed, Lists
from studylib.video.files import locked, write_bytes
from studylib.video.reading import VideoError, encode, frames

CLASSES = {
    "words": ("Begin", "Choose", "Connection", "Navigation", "Next", "Previous", "Start", "Stop", "Hello", "Web"),
    "phrases": (
        "Stop navigation", "Excuse me", "I am sorry", "Thank you", "Good bye", "I love this game", "Nice to meet you",
        "You are welcome", "How are you", "Have a good time",
    ),
}  # fmt: skip
TAKES = 10  # of each class by each speaker
FPS = 15.0  # nominal

# Frames of a word, on average: how fast each speaker talks, from the slowest to the fastest.
FRAMES_A_WORD = {
    "F04": 14.71, "F06": 13.27, "F05": 13.14, "M02": 11.57, "M04": 11.36, "F07": 11.27, "M01": 10.27, "F09": 9.48,
    "M07": 9.20, "F02": 9.06, "F08": 8.84, "M08": 8.45, "F10": 8.26, "F01": 8.12, "F11": 7.94,
}  # fmt: skip
PUBLISHED_TEST = ("F10", "F11", "M08")  # of a public re-implementation, who talk fast: split 6


def deal(speakers: list[str], folds: int) -> list[tuple[str, ...]]:
    """Speakers, given from the slowest to the fastest, dealt out in turn, back and forth, as in a snake draft."""
    places = [*range(folds), *reversed(range(folds))]
    return [tuple(s for i, s in enumerate(speakers) if places[i % (2 * folds)] == fold) for fold in range(folds)]


FOLDS = (*deal(list(FRAMES_A_WORD), 5), PUBLISHED_TEST)  # the test speakers of splits 1 to 6
VALIDATION_FOLDS = tuple(deal([s for s in FRAMES_A_WORD if s not in PUBLISHED_TEST], 4))  # and of the validation's


class Canvas(NamedTuple):
    """The frames of a video, for crops `mouth` pixels wide."""

    mouth: int
    width: int
    height: int

    @classmethod
    def around(cls, mouth: int, close: bool) -> "Canvas":
        """As wide as the crops where the view is `close`, else so wide that they fit into 65% of it; four thirds as
        wide as high, as scaled frames are."""
        width = mouth if close else 2 * round(mouth / 0.65 / 2)
        return cls(mouth, width, 2 * round(width * 3 / 8))


class Take(NamedTuple):
    """What a take came out as, as a line of the journal."""

    key: str  # <speaker>/<task>/<class>/<take>
    stamps: list[list]  # name and `stamp_of` of each of its files, as they were before it was read
    video: list[int]  # `stamp_of` its video
    num_frames: int
    frames_sha256: str  # over the decoded frames, RGB at the size of the video
    gaps: list[str]  # names of frames that are missing before or between others; of several in a row the first and last
    cut: int  # frames that are higher than the canvas and lost rows above and below


def make(
    name: str,
    root: Path | str,
    task: str,
    close: bool = False,
    validation: bool = False,
    data_root: Path | str | None = None,
    workers: int | None = None,
) -> Index:
    """Write the videos of a task ("words", "phrases") and their index into DATA_ROOT/<name>.

    The manifest's hash covers the decoded frames of every video, not the bytes of its file. A take that is missing or
    has a frame that cannot be used is left out and told; one that skips a frame is kept and told. With `close` frames
    get no border, and the middle window shows the middle 65% of the mouth. `validation`: see above.

    Called again it makes what is missing, and what is made of frames that have changed. Errors: DatasetError for a
    wrong root or task, a speaker that is missing, a name in use; OSError when the disk is full: what is finished stays.
    """
    root, folder = Path(root), index_folder(name, data_root)
    lists = read(root, task, validation)
    found = [key for key in lists.videos if (root / key).is_dir()]
    with locked(folder / ".lock", f"{name}: another process is making these videos"):
        widths: Counter[int] = Counter()  # of the takes' first frames: most have the same
        for key in found:
            with suppress(OSError, VideoError):
                widths[read_picture(next(iter(frame_files(root / key).values()))).shape[1]] += 1
        if not widths:
            raise DatasetError(f"{root}: no take has a color_NNN.jpg that can be read")
        canvas = Canvas.around(widths.most_common(1)[0][0], close)
        claim(folder, {"task": task, "close": close, "validation": validation, "canvas": canvas})
        known = {take.key: take for take in read_journal(folder / "takes.jsonl", Take._make)}
        done, jobs = {}, {}
        for key in found:
            take, video = root / key, folder / "videos" / f"{key}.mkv"
            stamps = [[file.name, stamp_of(file)] for file in sorted(take.glob("*"))]
            if (before := known.get(key)) and (before.stamps, before.video) == (stamps, stamp_of(video)):
                done[key] = before
            else:
                jobs[key] = (take, stamps, video, canvas)
        if any(video.exists() for _, _, video, _ in jobs.values()):
            (folder / "manifest.json").unlink(missing_ok=True)  # a stop leaves no index of old and new videos
        unreadable = complete(write_take, jobs, done, folder / "takes.jsonl", name, workers)
        takes = {key: done[key] for key in found if key in done}
        if not takes:
            key, reason = next(iter(unreadable.items()))
            raise DatasetError(f"{root}: no take can be used, such as {key}: {reason}")
        columns = {
            "path": [f"{key}.mkv" for key in takes],
            "label": [lists.videos[key].labels[0] for key in takes],
            "num_frames": [take.num_frames for take in takes.values()],
            "fps": [FPS] * len(takes),
            "width": [canvas.width] * len(takes),
            "height": [canvas.height] * len(takes),
            **{f"split{n + 1}": [lists.videos[key].parts[n] for key in takes] for n in range(lists.num_splits)},
            # the unit that is drawn when this dataset is tested on
            "speaker": [key.partition("/")[0] for key in takes],
            "frames_sha256": [take.frames_sha256 for take in takes.values()],
        }
        facts = lists.facts() | {
            "task": task,
            "missing": len(lists.videos) - len(found),
            "missing_takes": [key for key in lists.videos if key not in found],
            "unreadable": unreadable,
            "gaps": {key: take.gaps for key, take in takes.items() if take.gaps},
            "cut": sum(take.cut for take in takes.values()),
            "too_short": sum(take.num_frames < MIN_FRAMES for take in takes.values()),
            "min_frames": MIN_FRAMES,
            "duplicates": 0,
            "not_listed": 0,
        }
        return write_index(name, folder / "videos", lists.classes, columns, facts, data_root)


def read(root: Path, task: str, validation: bool = False) -> Lists:
    """The takes that there should be of a task, with their speakers' parts in each split. Errors: as of `make`."""
    if task not in CLASSES:
        raise DatasetError(f"--task {task}: take one of {', '.join(CLASSES)}")
    folds = VALIDATION_FOLDS if validation else FOLDS
    speakers = [s for s in sorted(FRAMES_A_WORD) if not validation or s not in PUBLISHED_TEST]
    missing = [s for s in speakers if not (root / s / task).is_dir()]
    if missing:
        frame = f"{root}/<speaker>/{task}/<class>/<take>/color_NNN.jpg"
        expected = f"expected {frame} of the speakers {', '.join(speakers)}"
        if len(missing) < len(speakers):
            raise DatasetError(f"{root}: {missing[0]}/{task} is missing; {expected}: each is needed, get it first")
        below = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        near = [*below, *root.absolute().parents[:3]]
        roots = [there for there in near if any((there / speaker / task).is_dir() for speaker in FRAMES_A_WORD)]
        hint = f"; give --root {roots[0]}" if roots else ""
        only = "".join(f", only {t}" for t in CLASSES if any((root / s / t).is_dir() for s in FRAMES_A_WORD))
        raise DatasetError(f"{root}: holds no speaker's {task}{only}; {expected}{hint}")
    lists = Lists("MIRACL-VC1", CLASSES[task], "path", "<speaker>/<task>/<class>/<take>", num_splits=len(folds))
    for speaker in speakers:
        parts = tuple("test" if speaker in fold else "train" for fold in folds)
        for label in range(len(lists.classes)):
            for take in range(1, TAKES + 1):
                lists.videos[f"{speaker}/{task}/{label + 1:02d}/{take:02d}"] = Listed((label,), parts)
    return lists


def frame_files(take: Path) -> dict[int, Path]:
    """The frames of a take by their numbers, ascending. Errors: VideoError: there is none, or two have one number;
    OSError: the folder cannot be read."""
    name = r"(?i)color_(\d+)\.jpg"
    found = sorted((int(m[1]), path) for path in take.iterdir() if (m := re.fullmatch(name, path.name)))
    if not found:
        raise VideoError("holds no color_NNN.jpg")
    for (number, path), (next_number, other) in pairwise(found):
        if number == next_number:
            raise VideoError(f"{path.name} and {other.name} have the same number")
    return dict(found)


def read_picture(path: Path) -> np.ndarray:
    """A picture as RGB uint8 (H, W, 3). Errors: VideoError, which names the file, where it cannot be read or is broken,
    also in part."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise VideoError(f"{path.name} cannot be read ({error.strerror})") from error
    end = content.rfind(b"\xff\xd9", content.rfind(b"\xff\xda"))  # of the picture; something may follow
    with suppress(Exception):  # whatever Pillow did not foresee
        # A decoder silently makes up what is missing. It would use these bytes, and the picture would be another one.
        longer = content[:end] + 8 * b"\x55" + content[end:]
        if end > 0 and Image.open(io.BytesIO(content)).tobytes() == Image.open(io.BytesIO(longer)).tobytes():
            return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    raise VideoError(f"{path.name} is {'broken' if content else 'empty'}")


def write_take(take: Path, stamps: list[list], video: Path, canvas: Canvas) -> Take | str:
    """Write the frames of a take as a video, and read it back; or say in one line why the take cannot be used."""
    try:
        numbered = frame_files(take)
        pictures = {path.name: read_picture(path) for path in numbered.values()}
    except (OSError, VideoError) as error:
        return in_one_line(error, take)
    for name, picture in pictures.items():
        if picture.shape[1] != canvas.mouth:
            return f"{name} is {picture.shape[1]} pixels wide, most others are {canvas.mouth}"
    shown, size = [on_canvas(picture, canvas) for picture in pictures.values()], (canvas.height, canvas.width)
    write_bytes(video, encode(shown, *size, FPS, {}, "bgr0", "ffv1", "matroska"))
    decoded = list(frames(video, size))
    if len(decoded) != len(shown) or not all(map(np.array_equal, decoded, shown)):
        broken = "the encoder of this machine's FFmpeg is broken"
        raise DatasetError(f"{video}: does not show the frames of {take}; {broken}")
    missing = [(a + 1, b - 1) for a, b in pairwise([0, *numbered]) if b - a > 1]
    gaps = [f"color_{a:03d}.jpg" + f" to color_{b:03d}.jpg" * (a < b) for a, b in missing]
    frames_sha256 = hashlib.sha256(np.stack(decoded).tobytes()).hexdigest()
    cut = sum(len(picture) > canvas.height for picture in pictures.values())
    return Take("/".join(take.parts[-4:]), stamps, stamp_of(video), len(shown), frames_sha256, gaps, cut)


def on_canvas(picture: np.ndarray, canvas: Canvas) -> np.ndarray:
    """A picture (H, W, 3) in the middle of the canvas, its edge repeated around it; never scaled, rows that do not fit
    are cut above and below."""
    rows = max(0, picture.shape[0] - canvas.height)
    picture = picture[rows // 2 : picture.shape[0] - (rows - rows // 2)]
    down, across = canvas.height - picture.shape[0], canvas.width - picture.shape[1]
    border = (down // 2, down - down // 2, across // 2, across - across // 2)
    return cv2.copyMakeBorder(picture, *border, cv2.BORDER_REPLICATE)


def report(index: Index) -> str:
    """What the command prints: the usual report, and the first takes that are missing or skip frames by name."""
    facts = index.facts
    gaps = {key: f"kept without {', '.join([*g[:9], '...'][: len(g)])}" for key, g in facts["gaps"].items()}
    lines = fault_lines(dict.fromkeys(facts["missing_takes"], "missing"), index) + fault_lines(gaps, index)
    lines.append(f"  {facts['cut']} frames are higher than {index.table['height'][0]} rows and lose those beyond")
    return "\n".join([report_of_index(index), *lines])
