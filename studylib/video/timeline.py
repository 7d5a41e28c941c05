"""The timeline of a video: the time of every frame, where the keyframes are, and where in the file the packets lie.

It fits into a few hundred bytes and is kept in a dataset's index, so that a clip is reached without looking through its
file again (`decoding`). `scanning` makes one.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

# Bytes of a kept timeline up to which the packets' places are part of it: half a minute of video, not the minutes of
# Sports-1M, whose index would grow to tens of gigabytes. Such a file is opened by FFmpeg at each clip (1 ms).
_MOST_BYTES = 4096


class VideoError(ValueError):
    """A video that cannot be read; the message names the file and the reason, in one line."""


@dataclass(frozen=True)
class VideoInfo:
    """Number of frames that decoding gives, frames per second (0 if unknown), and the size in pixels as shown."""

    num_frames: int
    fps: float
    width: int
    height: int


class Packets(NamedTuple):
    """Where the frames' packets lie in the file, in the order of decoding, and what a decoder must know first."""

    codec: str
    extradata: bytes
    colours: tuple[int, int]  # FFmpeg's matrix and range by the container; frames that say their own have those
    numbers: np.ndarray  # (N,) int64, the number of the frame that packet i gives
    positions: np.ndarray  # (N,) int64, bytes from the start of the file
    sizes: np.ndarray  # (N,) int64, bytes


@dataclass(frozen=True, eq=False)
class Timeline:
    """`times` and `keyframes` (frame numbers), both ascending; `times` is None where frames can only be counted from
    the start. `packets` is None where their bytes are not found at a known place, as in Matroska. `numbers` is there
    where frames can only be counted and some are damaged: of each packet the number of its frame, -1 of those lost."""

    info: VideoInfo
    file_size: int  # bytes
    rotation: int = 0  # quarter turns counter-clockwise that bring a decoded frame upright
    times: np.ndarray | None = None  # (N,) int64
    keyframes: np.ndarray | None = None  # (K,) int64
    packets: Packets | None = None
    numbers: np.ndarray | None = None  # (N,) int64

    def to_bytes(self, whole: bool = False) -> bytes:
        """The timeline without its info, compressed, for the column `timeline` of an index; without the packets' places
        where they would make it long, unless the `whole` is asked for, which a piece of a shard needs."""
        kept = self._packed(self.packets)
        return kept if whole or self.packets is None or len(kept) <= _MOST_BYTES else self._packed(None)

    def _packed(self, packets: Packets | None) -> bytes:
        head = {"size": self.file_size, "rotation": self.rotation}
        arrays = []
        if self.times is not None:
            head |= {"frames": len(self.times), "keyframes": len(self.keyframes)}
            arrays = [np.diff(self.times, prepend=0), np.diff(self.keyframes, prepend=0)]
        if self.numbers is not None:
            head |= {"counted": len(self.numbers)}
            arrays = [np.diff(self.numbers, prepend=0), np.diff(self.keyframes, prepend=0)]
        if packets is not None:
            head |= {"codec": packets.codec, "extradata": packets.extradata.hex(), "colours": packets.colours}
            ends = np.concatenate([[0], packets.positions[:-1] + packets.sizes[:-1]])
            arrays += [packets.numbers - np.arange(len(packets.numbers)), packets.positions - ends, packets.sizes]
        # small differences, so that most of their bytes are zeros
        numbers = np.concatenate(arrays).astype("<i8").tobytes() if arrays else b""
        return zlib.compress(json.dumps(head).encode() + b"\n" + numbers)

    @classmethod
    def from_bytes(cls, info: VideoInfo, data: bytes) -> "Timeline":
        """What `to_bytes` gave for a video of this info."""
        text, _, numbers = zlib.decompress(data).partition(b"\n")
        head, values = json.loads(text), np.frombuffer(numbers, "<i8")
        if n := head.get("counted"):
            numbers, keyframes = values[:n].cumsum(), values[n:].cumsum()
            return cls(info, head["size"], head["rotation"], keyframes=keyframes, numbers=numbers)
        if "frames" not in head:
            return cls(info, head["size"], head["rotation"])
        n, k = head["frames"], head["keyframes"]
        times, keyframes = values[:n].cumsum(), values[n : n + k].cumsum()
        packets = None
        if "codec" in head:
            ranks, gaps, sizes = values[n + k :].reshape(3, n)
            positions = (gaps + sizes).cumsum() - sizes
            extradata = bytes.fromhex(head["extradata"])
            colours = tuple(head.get("colours", (2, 0)))  # unspecified
            packets = Packets(head["codec"], extradata, colours, ranks + np.arange(n), positions, sizes)
        return cls(info, head["size"], head["rotation"], times, keyframes, packets)


class Piece(NamedTuple):
    """A video that is a part of a larger file, a shard of many."""

    path: Path
    offset: int  # bytes from the start of the shard
    size: int  # bytes

    def __str__(self) -> str:
        return f"{self.path} at byte {self.offset}"
