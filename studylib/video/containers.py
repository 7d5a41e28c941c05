"""Open a video file with PyAV (FFmpeg) and take whole frames from it: never one that FFmpeg made up."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.stream import Discard, Disposition
from av.video.frame import PictureType

# By default FFmpeg paints over what it cannot decode and says nothing.
NO_CONCEALING = {"err_detect": "explode"}


class VideoError(ValueError):
    """A video that cannot be read; the message names the file and the reason, in one line."""


@contextmanager
def opened(path: Path | str) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Open the first video stream for decoding in the calling thread; FFmpeg's errors become VideoError."""
    try:
        # A title in Latin-1 is no reason to refuse a video.
        with av.open(str(path), metadata_errors="replace") as container:
            # The cover of a sound file is a video stream to FFmpeg; so are a picture and, for some endings, a text.
            streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if container.format.name.endswith("_pipe") or container.format.name in ("image2", "tty"):
                raise VideoError(f"{path}: is a picture or a text, not a video; give a video file")
            if not streams:
                raise VideoError(f"{path}: holds no video stream; give a video file")
            if streams[0].codec_context is None:
                raise VideoError(f"{path}: its codec is unknown or damaged; give a video that FFmpeg can decode")
            # Clips are small and read by many workers: threads inside a decoder would only fight over the cores.
            streams[0].codec_context.thread_count = 1
            streams[0].codec_context.options = NO_CONCEALING
            yield container, streams[0]
    except av.FFmpegError as error:
        reason = f"cannot be read as video ({error.strerror}); it is truncated, damaged or no video"
        raise VideoError(f"{path}: {reason}: fetch or make it again") from None


def whole_frames(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Every frame from the start of the file to where it is damaged.

    Errors: av.FFmpegError there; not before the first frame, as a file cut out of a longer one may begin with packets
    that lack their keyframe.
    """
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all

    def decoded() -> Iterator[av.VideoFrame]:
        begun = False
        for packet in container.demux(stream):
            try:
                for frame in packet.decode():
                    begun = True
                    yield frame
            except av.FFmpegError:
                if begun:
                    raise

    yield from sound(decoded(), stream.codec_context, cut=True)


def sound(frames: Iterator[av.VideoFrame], context: av.VideoCodecContext, cut: bool = False) -> Iterator[av.VideoFrame]:
    """The frames up to the first that FFmpeg calls corrupt, and to those shown before it that may refer to it.

    Errors: av.InvalidDataError at a corrupt frame; not at the first of all where a `cut` may have left it so.
    """
    held: deque[av.VideoFrame] = deque()
    for frame in frames:
        if frame.is_corrupt and not cut:
            raise av.InvalidDataError(av.error.tag_to_code(b"INDA"), f"frame at {frame.pts} is corrupt")
        cut = False
        held.append(frame)
        # A B-frame may refer to any up to the next that is none; where all are, 16 are the most that a decoder keeps.
        while len(held) > (context.reorder_depth if frame.pict_type != PictureType.B else 16):
            yield held.popleft()
    yield from held
