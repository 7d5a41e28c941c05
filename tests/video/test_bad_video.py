"""A file that is no good video is one clear error, and a full disk costs nothing that was there before."""

import errno
import re
import wave
from contextlib import suppress
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition

from studylib.video.reading import Timeline, VideoError, scan, write_video
from tests.made_videos import KINDS, decode_from_start, files_limited_to, make, numbered_frames, overwritten
from tests.video_folders import read_clip, read_video

SIZE = (36, 45)


def bad_file(kind: str, folder: Path) -> Path:
    path = folder / f"{kind}.mp4"
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
    elif kind == "unknown_codec":
        path.write_bytes(make("b_frames.mp4", folder).read_bytes().replace(b"avc1", b"zzzz"))
    elif kind == "no_frame_but_a_header":  # a recording that was broken off at once
        path.write_bytes(make("fragments.mp4", folder).read_bytes().split(b"moof")[0][:-4])
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "missing", "empty", "folder", "no_video_but_text", "no_video_but_noise", "text", "picture", "sound",
        "sound_with_cover", "unknown_codec", "no_frame_but_a_header",
    ],
)  # fmt: skip
def test_a_bad_file_is_one_error_that_names_it(tmp_path: Path, kind: str, capfd: pytest.CaptureFixture) -> None:
    path = bad_file(kind, tmp_path)
    with pytest.raises(VideoError) as raised:
        scan(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""  # nor does FFmpeg chatter


def cut(path: Path, share: float) -> Path:
    """The first `share` of the bytes of `path`, under another name."""
    part = path.with_name(f"cut_{path.name}")
    part.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return part


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.9])
@pytest.mark.parametrize(
    "name",
    [
        name for name in KINDS
        if name in {"b_frames.mp4", "table_first.mp4", "fragments.mp4", "grey_odd.mp4", "hevc.mp4", "h263.3gp",
                    "turned_90.mp4", "av1.mp4", "b_frames.mkv", "vp9_odd.webm", "vp8_odd.webm", "mjpeg.mov",
                    "wrong_times.avi", "mpeg4_odd.avi", "no_times.avi", "mjpeg_odd.avi", "huffyuv.avi"}
    ],
)  # fmt: skip
def test_a_truncated_file_is_one_error(tmp_path: Path, name: str, share: float, capfd: pytest.CaptureFixture) -> None:
    path = cut(make(name, tmp_path), share)
    capfd.readouterr()
    with pytest.raises(VideoError, match=re.escape(f"{path}: ")) as raised:
        scan(path)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.9, 0.99])
@pytest.mark.parametrize(
    "name", ["b_frames.ts", "no_container.h264", "mpeg2.mpg", "hevc.ts", "b_frames.flv", "wmv2.wmv"]
)
def test_a_truncated_stream_that_counts_no_frames_is_one_error_or_read_to_its_end(
    tmp_path: Path, name: str, share: float
) -> None:
    good = make(name, tmp_path)
    path = cut(good, share)
    expected = decode_from_start(good, SIZE)
    try:
        frames = read_video(path, SIZE)
    except VideoError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017
    else:
        # Nothing tells that a frame at the cut has lost its end, nor those that refer to it (three B-frames).
        n = max(len(frames) - 4, 0)
        np.testing.assert_array_equal(frames[:n], expected[:n])


@pytest.mark.parametrize("name", ["edited_start.mp4", "edited_end.mp4", "b_frames.mp4", "wrong_times.avi"])
def test_a_file_without_its_last_kilobyte_is_never_read_as_whole(tmp_path: Path, name: str) -> None:
    """The end of an AVI file is its index, of an mp4 its table or, with the table first, its last frames."""
    good = make(name, tmp_path)
    path = tmp_path / f"cut_{name}"
    path.write_bytes(good.read_bytes()[:-1000])
    with pytest.raises(VideoError):
        scan(path)


@pytest.mark.parametrize("packet", [1, 13, 24])
@pytest.mark.parametrize(
    "name",
    [
        "b_frames.mp4", "b_frames.mkv", "mpeg4_odd.avi", "no_times.avi", "xvid.avi", "wrong_times.avi", "packed.avi",
        "mjpeg_odd.avi", "mpeg4.mp4", "mpeg4.mkv", "mjpeg.mov", "b_frames.flv",
    ],
)  # fmt: skip
def test_one_damaged_frame_costs_its_group_of_frames_and_no_more(tmp_path: Path, name: str, packet: int) -> None:
    """Decoders that notice would fill the gap with what is around it. The groups are of 12 frames; the last of the one
    before may wait for a damaged keyframe."""
    good, path = make(name, tmp_path), tmp_path / f"damaged_{name}"
    overwritten(good, packet, 255, path)
    known, lost = scan(path), []
    assert known.info == scan(good).info
    known = Timeline.from_bytes(known.info, known.to_bytes())
    for number, expected in enumerate(decode_from_start(good, SIZE)):
        try:
            frame = read_clip(path, number, 1, SIZE, known)[0]
        except VideoError as error:
            assert re.search(r"damaged_.*: frame \d+ cannot be decoded", str(error))  # noqa: PT017
            lost.append(number)
        else:
            np.testing.assert_array_equal(frame, expected)
    with suppress(VideoError):
        clip = read_clip(path, packet, 8, SIZE)
        np.testing.assert_array_equal(clip, decode_from_start(good, SIZE)[packet : packet + 8])
    group = packet // 12 * 12
    assert set(lost) < set(range(group - 4, group + 12))


@pytest.mark.parametrize("name", [name for name in ("vp9_odd.webm", "vp8_odd.webm", "hevc.mp4") if name in KINDS])
def test_damage_that_no_decoder_can_notice_stays_within_its_group_of_frames(tmp_path: Path, name: str) -> None:
    """VP8, VP9 and HEVC read any bytes as some picture."""
    good, path = make(name, tmp_path), tmp_path / f"damaged_{name}"
    with av.open(str(good)) as container:
        keyframes = [i for i, p in enumerate(p for p in container.demux(video=0) if p.size) if p.is_keyframe]
    overwritten(good, keyframes[1] + 2, 255, path)
    expected = decode_from_start(good, SIZE)
    try:
        n = scan(path).info.num_frames
    except VideoError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017
        return
    assert n == len(expected)
    np.testing.assert_array_equal(read_clip(path, 0, keyframes[1], SIZE), expected[: keyframes[1]])
    np.testing.assert_array_equal(read_clip(path, keyframes[2], 8, SIZE), expected[keyframes[2] :][:8])


def test_a_full_disk_leaves_the_earlier_video_and_no_half_one(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, numbered_frames(3), fps=25)
    before = path.read_bytes()
    with files_limited_to(1000), pytest.raises(OSError, match=r"a\.mp4: cannot write") as raised:
        write_video(path, numbered_frames(), fps=25)
    assert raised.value.errno == errno.EFBIG
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
