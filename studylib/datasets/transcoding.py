"""Transcode one video to H.264 with short groups of pictures at the scaled size, and check it frame by frame."""

import base64
import math
from dataclasses import dataclass
from pathlib import Path

import av
import cv2

from studylib.video.clips import scaled_size
from studylib.video.files import write_bytes
from studylib.video.reading import Timeline, VideoError, encode, frames, scan

# Coloured noise can lose as much as another picture differs (10 dB). Whether a frame is the right one is told by
# the mean colours of its cells: in real videos they differ by 2 of 255 where it is, by 50 where it is not.
_CELLS = (8, 6)  # across, down
_MOST_DIFFERENT = 20  # root mean square, of 255


@dataclass(frozen=True)
class Format:
    """How videos are prepared; the defaults are the trade-off that the chapter on data shows."""

    resolution: int = 112  # pixels, the crop that runs will take; frames are scaled in proportion (`clips.scaled_size`)
    gop: int = 12  # frames from one keyframe to the next
    crf: int = 18  # x264's constant quality, lower is better
    preset: str = "veryfast"
    # Without arithmetic coding and deblocking a frame is decoded in half the time, for a tenth more bytes; without
    # x264's psychovisual moves of bits it is nearer to the original by 1 dB.
    tune: str = "psnr,fastdecode"
    # Colours as large as the picture: the very pixels that are read, at any size. Halved ones cap the PSNR at 39 dB.
    pixels: str = "yuv444p"

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames stored: those that are read."""
        return scaled_size(self.resolution)


MEASURED = Format()


def transcode(original: Path, how: Format, scratch: Path, whole_timeline: bool = False) -> tuple[bytes, dict]:
    """The prepared video as the bytes of an mp4, and what an index tells of it: num_frames, psnr (dB) and timeline
    (base64; the `whole` one has the packets' places however long the video is, as a piece of a shard needs).

    Frames are streamed, only the result is in memory. `scratch` is a path for a file that is gone afterwards.
    Errors: VideoError when a frame of the original cannot be decoded or encoded, or the result does not show the same
    frames; OSError when the disk is full.
    """
    try:
        known = scan(original)
    except OSError as error:  # a folder that may not be entered, a disk that fails
        raise VideoError(f"{original}: cannot be read ({error.strerror})") from error
    # x264 without B-frames: a clip's frames come in order, and none waits for a later one.
    options = {"crf": str(how.crf), "preset": how.preset, "tune": how.tune, "g": str(how.gop)}
    options |= {"bf": "0", "sc_threshold": "0"}
    try:
        content = encode(frames(original, how.size, known), *how.size, _rate(known.info.fps), options, how.pixels)
    except av.FFmpegError as error:
        raise VideoError(f"{original}: its frames cannot be encoded ({error.strerror})") from error
    try:
        write_bytes(scratch, content)
        made = scan(scratch)
        if made.info.num_frames != known.info.num_frames or made.packets is None:
            raise VideoError(f"{original}: has {known.info.num_frames} frames, prepared {made.info.num_frames}")
        psnr = compare(original, scratch, how.size, known, made)
    finally:
        scratch.unlink(missing_ok=True)
    timeline = made.to_bytes(whole=whole_timeline)
    return content, {
        "num_frames": made.info.num_frames,
        "psnr": psnr,
        "timeline": base64.b64encode(timeline).decode(),
    }


def _rate(fps: float) -> float:
    """Frames per second that the mp4 tells players; frames are read by number.

    Rates that no camera has are those of a container's clock (1000) or unknown (0). x264 gives a frame fewer bits the
    shorter it is shown, so they would cost quality.
    """
    return fps if 5 <= fps <= 60 else 25.0


def compare(
    original: Path,
    prepared: Path,
    size: tuple[int, int],
    known: Timeline | None = None,
    made: Timeline | None = None,
) -> float:
    """PSNR in dB, over all frames of a video as a run reads them, RGB at `size`; 100 where they are equal. `known` and
    `made` are the two files' timelines, if they are at hand.

    Errors: VideoError naming the first frame that shows something else.
    """
    squares, values = 0.0, 0
    pairs = zip(frames(original, size, known), frames(prepared, size, made), strict=True)
    for number, (one, other) in enumerate(pairs):
        cells = [cv2.resize(frame, _CELLS, interpolation=cv2.INTER_AREA) for frame in (one, other)]
        if cv2.norm(*cells, cv2.NORM_L2) > _MOST_DIFFERENT * math.sqrt(cells[0].size):
            raise VideoError(f"{original}: frame {number} shows something else once it is prepared")
        squares += cv2.norm(one, other, cv2.NORM_L2SQR)  # a sum of whole numbers: the same on every machine
        values += one.size
    return round(min(100.0, 10 * math.log10(255**2 * values / max(squares, 1e-9))), 3)
