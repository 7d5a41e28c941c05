"""A file that is no good video is one clear error, and a full disk costs nothing that was there before."""

import errno
import wave
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition

from studylib.video import VideoError, probe, read_clip, read_clips, read_video, write_video
from tests.made_videos import decode_from_start, encode, files_limited_to, numbered_frames

SIZE = (36, 45)


def bad_file(kind: str, folder: Path) -> Path:
    path = folder / f"{kind}.mp4"
    good = folder / "good"
    if kind == "empty":
        path.touch()
    elif kind == "no_video_but_text":
        path.write_text("This is no video.\n" * 100)
    elif kind == "no_video_but_noise":
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    elif kind == "text":
        path = path.with_suffix(".txt")
        path.write_text("This is no video.\n" * 100)
    elif kind == "picture":
        path = path.with_suffix(".png")
        cv2.imwrite(str(path), numbered_frames(1)[0])
    elif kind == "sound":
        with wave.open(str(path), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(np.random.default_rng(0).bytes(8000))
    elif kind == "sound_with_cover":  # the cover is a video stream of one frame to FFmpeg
        with av.open(str(path), "w") as container:
            sound, cover = container.add_stream("aac", rate=8000), container.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 96, 72, "yuvj420p"
            cover.disposition = Disposition.attached_pic
            container.mux(cover.encode(av.VideoFrame.from_ndarray(numbered_frames(1)[0], format="rgb24")))
            container.mux(cover.encode(None))
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
            silence.sample_rate = 8000
            container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
    elif kind == "folder":
        path.mkdir()
    elif kind.startswith("truncated"):  # without its table at the end; with the table; containers without a table
        ending, options = {
            "truncated": (".mp4", {}),
            "truncated_after_table": (".mp4", {"movflags": "faststart"}),
            "truncated_matroska": (".mkv", {}),
            "truncated_avi": (".avi", {}),
        }[kind]
        good = good.with_suffix(ending)
        encode(good, "libx264", {}, numbered_frames(), **options)
        path = path.with_suffix(ending)
        path.write_bytes(good.read_bytes()[: good.stat().st_size * 7 // 10])
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "missing", "empty", "folder", "no_video_but_text", "no_video_but_noise", "text", "picture", "sound",
        "sound_with_cover", "truncated", "truncated_after_table", "truncated_matroska", "truncated_avi",
    ],
)  # fmt: skip
def test_a_bad_file_is_one_error_that_names_it(tmp_path: Path, kind: str, capfd: pytest.CaptureFixture) -> None:
    path = bad_file(kind, tmp_path)
    for read in (probe, read_video, lambda path: read_clip(path, 0, 8)):
        with pytest.raises(VideoError) as raised:
            read(path)
        assert str(raised.value).startswith(f"{path}: ")
        assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""  # nor does FFmpeg chatter


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A video with keyframes at 0, 12, 24, 36 and its frames 12 to 23 overwritten in part."""
    good, path = tmp_path / "good.mp4", tmp_path / "damaged.mp4"
    encode(good, "libx264", {"g": "12", "bf": "3"}, numbered_frames())
    data = bytearray(good.read_bytes())
    with av.open(str(good)) as container:
        second_group = [packet.pos for packet in container.demux(video=0) if packet.is_keyframe][1]
    data[second_group : second_group + 2000] = bytes([255]) * 2000
    path.write_bytes(data)
    return path


def test_a_frame_that_cannot_be_decoded_is_named(damaged: Path) -> None:
    with pytest.raises(VideoError, match=r"damaged\.mp4: frame 12 cannot be decoded"):
        read_clip(damaged, 8, 8, SIZE)


def test_clips_are_reached_by_their_keyframe_past_a_damaged_group(damaged: Path) -> None:
    expected = decode_from_start(damaged.with_name("good.mp4"), SIZE)
    np.testing.assert_array_equal(read_clip(damaged, 2, 8, SIZE).numpy(), expected[2:10])
    np.testing.assert_array_equal(read_clip(damaged, 25, 8, SIZE).numpy(), expected[25:33])
    clips = read_clips(damaged, [30, 2], 4, SIZE).numpy()
    np.testing.assert_array_equal(clips, np.stack([expected[30:34], expected[2:6]]))


def test_a_full_disk_leaves_the_earlier_video_and_no_half_one(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, numbered_frames(3), fps=25)
    before = path.read_bytes()
    with files_limited_to(1000), pytest.raises(OSError, match=r"a\.mp4: cannot write") as raised:
        write_video(path, numbered_frames(), fps=25)
    assert raised.value.errno == errno.EFBIG
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
