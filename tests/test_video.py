"""A clip is the frames it says, whatever the container."""

import os
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from studylib.video import probe, read_clip, read_clips, read_video, write_video
from tests.made_videos import NUM_FRAMES, decode_from_start, encode, number_shown, numbered_frames

SIZE = (36, 45)
# File name, codec, options of the encoder: B-frames, sparse and odd keyframes, containers with and without times.
KINDS = {
    "b_frames.mp4": ("libx264", {"g": "12", "bf": "3"}),
    "one_keyframe.mp4": ("libx264", {"g": "250", "bf": "3"}),
    "tiny_gops.mp4": ("libx264", {"g": "2", "bf": "1"}),
    "open_gops.mp4": ("libx264", {"x264-params": "open-gop=1:keyint=10:min-keyint=10:bframes=3:b-adapt=0"}),
    "intra_refresh.mp4": ("libx264", {"x264-params": "intra-refresh=1:keyint=15:bframes=0"}),
    "b_frames.mkv": ("libx264", {"g": "12", "bf": "3"}),
    "no_times.avi": ("mpeg4", {"g": "12", "bf": "2"}),
    "wrong_times.avi": ("libx264", {"g": "12", "bf": "3"}),
    "hidden_frames.webm": ("libvpx", {"g": "12", "auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "realtime"}),
}


def real_videos() -> list[Path]:
    """Three UCF101 videos where the folder is at hand."""
    data = Path(os.environ.get("STUDY_UCF101", Path(__file__).parents[2] / "shared" / "data"))
    return sorted(data.glob("ucf101_subset/*/*"))[5:150:60]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name, (codec, options) in KINDS.items():
        encode(folder / name, codec, options, numbered_frames())
    # Cut out of a longer file: it begins with frames that refer to a keyframe that is not there.
    with av.open(str(folder / "b_frames.mp4")) as source, av.open(str(folder / "cut_out.mkv"), "w") as cut:
        stream = cut.add_stream_from_template(source.streams.video[0])
        for packet in list(source.demux(video=0))[7:-1]:
            packet.stream = stream
            cut.mux(packet)
    # Frames at uneven times.
    with av.open(str(folder / "uneven.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=1000, options={"g": "12", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 96, 72, "yuv420p"
        for i, pixels in enumerate(numbered_frames()):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = 40 * i + 7 * (i % 3) + 500 * (i // 20), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return folder


@pytest.mark.parametrize("name", [*KINDS, "cut_out.mkv", "uneven.mp4", *real_videos()])
def test_frame_i_is_the_ith_that_decoding_from_the_start_gives(videos: Path, name: str | Path) -> None:
    path = videos / name
    expected = decode_from_start(path, SIZE)
    n = len(expected)
    assert probe(path).num_frames == n
    np.testing.assert_array_equal(read_video(path, SIZE).numpy(), expected)
    for start in {0, 1, n // 3, n // 2, n - 9, n - 1}:
        rows = np.minimum(np.arange(start, start + 8), n - 1)
        np.testing.assert_array_equal(read_clip(path, start, 8, SIZE).numpy(), expected[rows])
    starts = [n - 2, 3, n // 2, 5, 3]
    rows = np.minimum(np.array(starts)[:, None] + np.arange(6), n - 1)
    np.testing.assert_array_equal(read_clips(path, starts, 6, SIZE).numpy(), expected[rows])


@pytest.mark.parametrize("name", [*KINDS, "uneven.mp4"])
def test_frame_i_shows_the_number_i(videos: Path, name: str) -> None:
    for start in (0, 17, 31):
        clip = read_clip(videos / name, start, 9, (72, 96)).numpy()
        assert [number_shown(frame) for frame in clip] == list(range(start, start + 9))


@pytest.mark.parametrize("name", ["b_frames.mp4", "open_gops.mp4", "no_times.avi", *real_videos()])
def test_opencv_decodes_the_same_frames_up_to_its_way_of_spreading_colour(videos: Path, name: str | Path) -> None:
    path = videos / name
    info = probe(path)
    capture = cv2.VideoCapture(str(path))
    foreign = []
    while (read := capture.read())[0]:
        foreign.append(read[1][..., ::-1])
    capture.release()
    assert len(foreign) == info.num_frames
    assert foreign[0].shape == (info.height, info.width, 3)
    middle = info.num_frames // 2
    clip = read_clip(path, middle, 8, (info.height, info.width)).numpy()
    luma = np.array([0.299, 0.587, 0.114])  # colour is stored at half size, and OpenCV scales it up by another filter
    difference = np.abs(clip @ luma - np.stack(foreign)[middle : middle + 8] @ luma)
    assert difference.mean() < 1


def test_the_probe_reports_what_is_stored(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", numbered_frames(13), fps=29.97)
    info = probe(tmp_path / "a.mp4")
    assert (info.num_frames, info.width, info.height) == (13, 96, 72)
    assert info.fps == pytest.approx(29.97, abs=1e-3)


def test_a_clip_longer_than_its_video_repeats_the_last_frame(videos: Path) -> None:
    clip = read_clip(videos / "b_frames.mp4", NUM_FRAMES - 3, 10, (72, 96)).numpy()
    assert [number_shown(frame) for frame in clip] == [37, 38, *[39] * 8]
    np.testing.assert_array_equal(clip[3:], np.broadcast_to(clip[2], clip[3:].shape))
    assert read_clip(videos / "b_frames.mp4", 0, 100, SIZE).shape == (100, *SIZE, 3)


@pytest.mark.parametrize(("start", "length"), [(-1, 8), (NUM_FRAMES, 8), (0, 0)])
def test_a_clip_that_starts_outside_its_video_is_refused(videos: Path, start: int, length: int) -> None:
    with pytest.raises(ValueError, match=r"b_frames\.mp4"):
        read_clip(videos / "b_frames.mp4", start, length)


def test_a_written_video_shows_what_was_given(tmp_path: Path) -> None:
    frames = numbered_frames()
    write_video(tmp_path / "new" / "a.mp4", frames, fps=25)
    read = read_video(tmp_path / "new" / "a.mp4", (72, 96)).numpy()
    assert read.shape == frames.shape
    assert np.abs(read.astype(int) - frames).mean() < 8
    assert [number_shown(frame) for frame in read] == list(range(NUM_FRAMES))


def test_the_same_frames_make_the_same_file(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, numbered_frames(10), fps=25)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("shape", [(4, 71, 96, 3), (0, 72, 96, 3), (72, 96, 3)])
def test_frames_that_make_no_video_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"a\.mp4"):
        write_video(tmp_path / "a.mp4", np.zeros(shape, np.uint8), fps=25)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, numbered_frames(10), fps=25)
    assert probe(path).num_frames == 10
    write_video(path, numbered_frames(20), fps=25)
    assert probe(path).num_frames == 20
