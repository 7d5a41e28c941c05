"""Prepared datasets: the same frames in other files."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from studylib.datasets import __main__ as command
from studylib.datasets import folder
from studylib.datasets.index import Index
from studylib.datasets.preparing import compare, prepare, report
from studylib.video.reading import VideoError, encode, read_video, scan, write_video
from tests.made_videos import NUM_FRAMES, Kind, encode_kind, numbered_frames
from tests.prepared_videos import KINDS, SIZE, SMALL, again, index_of, make_five, make_originals, shown
from tests.video_folders import REAL_VIDEOS

REAL = REAL_VIDEOS[::70]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_originals(tmp_path_factory.mktemp("originals"))


@pytest.fixture
def five(tmp_path: Path) -> Index:
    return make_five(tmp_path)


@pytest.fixture(scope="module")
def source(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    return folder.make("mine", originals, data_root=tmp_path_factory.mktemp("data"), workers=1)


@pytest.fixture(scope="module")
def in_files(source: Index, tmp_path_factory: pytest.TempPathFactory) -> Index:
    return prepare(source, SMALL, data_root=tmp_path_factory.mktemp("files"), workers=1)


def test_frame_i_shows_frame_i_of_the_original(in_files: Index) -> None:
    numbers = {f"count/{Path(name).stem}.mp4": list(range(NUM_FRAMES)) for name in KINDS} | {"count/single.mp4": [0]}
    assert shown(in_files) == dict(sorted(numbers.items()))


def test_keyframes_come_every_few_frames_and_no_frame_waits_for_a_later_one(in_files: Index) -> None:
    for path in in_files.table["path"].to_pylist():
        known = scan(in_files.path(path))
        num_frames = known.info.num_frames
        assert known.keyframes.tolist() == list(range(0, num_frames, SMALL.gop))
        assert known.packets.numbers.tolist() == list(range(num_frames))
        assert (known.info.height, known.info.width, known.rotation) == (*SMALL.size, 0)


def likeness(original: Path, prepared: Path, size: tuple[int, int]) -> float:
    errors = read_video(original, size).numpy().astype(float) - read_video(prepared, size).numpy()
    return 10 * np.log10(255**2 / np.mean(errors**2))


def test_the_index_tells_how_like_a_video_is_to_its_original(tmp_path: Path) -> None:
    rng, rows = np.random.default_rng(0), np.linspace(0, 6, 240)[:, None]
    smooth = [120 + 60 * np.sin(rows + np.linspace(0, 9, 320) + i / 5) + rng.normal(0, 4, (240, 320)) for i in range(9)]
    video = np.stack([np.clip(np.stack([f, f * 0.9, 250 - f], -1), 0, 255).astype(np.uint8) for f in smooth])
    write_video(tmp_path / "videos" / "smooth.mp4", video, 25, crf=10)
    index = prepare(index_of(tmp_path, "smooth"), workers=1)
    psnr = index.table["psnr"][0].as_py()
    assert index.name == "smooth-128x171"
    assert psnr == pytest.approx(likeness(tmp_path / "videos" / "smooth.mp4", index.video(0)[0], (128, 171)), abs=0.01)
    assert psnr > 36


def test_the_rows_keep_labels_splits_and_what_else_the_dataset_tells(five: Index) -> None:
    labels = pa.array([[0], [0, 1], [0], [0], [0]])
    columns = {"labels": labels, "split2": ["test"] * 5, "cue": list("abcde"), "sha256": ["of the original"] * 5}
    source = index_of(five.folder.parent, **columns)
    index = again(source)
    for column in ("labels", "label", "split1", "split2", "cue", "fps"):
        assert index.table[column].to_pylist() == source.table[column].to_pylist()
    assert "sha256" not in index.table.column_names
    assert (index.classes, index.facts["dataset"]) == (source.classes, "five")
    assert index.facts["prepared"]["from"] == source.manifest_hash


def test_originals_are_not_touched(source: Index, originals: Path, tmp_path: Path) -> None:
    def state() -> dict:
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in originals.rglob("*.*")}

    before = state()
    prepare(source, SMALL, data_root=tmp_path, workers=1)
    assert state() == before


def test_a_damaged_video_is_left_out_and_told(in_files: Index) -> None:
    assert len(in_files.table) == len(KINDS) + 1
    unreadable = in_files.facts["prepared"]["unreadable"]
    assert list(unreadable) == ["count/damaged.mp4"]
    assert re.match(r"frame \d+ cannot be decoded", unreadable["count/damaged.mp4"])
    lines = report(in_files).splitlines()
    assert lines[0] == f"mine-32x43: 7 videos prepared, {in_files.folder}"
    assert lines[1] == "  1 could not be prepared (left out)"
    assert lines[2].startswith("    count/damaged.mp4: frame ")
    assert lines[-1] == f"  manifest {in_files.manifest_hash}"


def test_a_frame_that_shows_something_else_is_found(tmp_path: Path) -> None:
    frames = numbered_frames(12)
    write_video(tmp_path / "a.mp4", frames, 25)
    frames[7] = 128
    write_video(tmp_path / "b.mp4", frames, 25)
    with pytest.raises(VideoError, match=r"a\.mp4: frame 7 shows something else"):
        compare(tmp_path / "a.mp4", tmp_path / "b.mp4", SIZE)


def test_noise_in_all_colours_is_a_video_as_any_other(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 128, 172, 3), np.uint8)
    (tmp_path / "videos").mkdir()
    encode_kind(tmp_path / "videos" / "noise.mkv", Kind("ffv1", pix_fmt="bgr0"), noise)
    index = prepare(index_of(tmp_path, "noise"), workers=1)
    assert index.table["path"].to_pylist() == ["noise.mp4"]


@pytest.mark.parametrize("rate", [0.0001, 0.3, 30000 / 1001, 1000])
def test_any_frame_rate_will_do(tmp_path: Path, rate: float) -> None:
    (tmp_path / "videos").mkdir()
    for name, fps in (("a", rate), ("b", 25)):
        kind = Kind("libx264", {"qp": "0"}, times=[round(1000 * i / fps) for i in range(20)])  # lossless
        encode_kind(tmp_path / "videos" / f"{name}.mp4", kind, numbered_frames(20))
    index = again(index_of(tmp_path, "rates"))
    assert shown(index) == {"a.mp4": list(range(20)), "b.mp4": list(range(20))}
    assert index.table["fps"].to_pylist() == pytest.approx([rate, 25], rel=0.1)  # the originals'
    one, other = index.table["psnr"].to_pylist()
    assert one == pytest.approx(other, abs=1)  # dB; x264 would take a frame of a millisecond less seriously


def test_two_videos_of_one_stem_and_one_of_a_long_name_are_three(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    longest = "x" * 251
    for number, name in enumerate(("a.avi", "a.mp4", f"{longest}.avi")):
        content = encode(numbered_frames(number + 1), 72, 96, 25, {"crf": "21"})
        (tmp_path / "videos" / name).write_bytes(content)
    index = again(index_of(tmp_path, "names"))
    assert shown(index) == {"a.avi.mp4": [0], "a.mp4.mp4": [0, 1], f"{longest}.mp4": [0, 1, 2]}


# --- the option --prepare of the commands --------------------------------------------------------------------------


def test_the_command_prepares_what_it_indexed_and_reports_both(
    originals: Path, data_root: Path, capsys: pytest.CaptureFixture
) -> None:
    call = ["folder", "--root", str(originals), "--out", str(data_root / "mine"), "--workers", "1"]
    assert command.main([*call, "--prepare", "--resolution", "28"]) == 0
    index, prepared = capsys.readouterr().out.split("\n\nmine-32x43")
    assert index.startswith("mine: 8 videos of 1 classes")
    size = sum(path.stat().st_size for path in (data_root / "mine-32x43" / "videos").rglob("*.mp4"))
    before = sum(path.stat().st_size for path in originals.rglob("*.*") if path.stem != "damaged")
    told = f"{size / 1e6:,.1f} MB, {size / before:.2f} of the originals' {before / 1e6:,.1f} MB"
    assert prepared.startswith(": 7 videos prepared, ")
    assert "1 could not be prepared (left out)\n    count/damaged.mp4: frame " in prepared
    assert told in prepared
    assert re.search(r"PSNR \d\d\.\d dB on average, \d\d\.\d dB at the lowest \(count/\w+\.mp4\)", prepared)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--resolution", "224"], "--resolution says how videos are prepared: give --prepare, too"),
        (["--prepare", "--resolution", "-1"], "--resolution must be at least 16, not -1"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_done(
    originals: Path, data_root: Path, options: list[str], complaint: str, capsys: pytest.CaptureFixture
) -> None:
    assert command.main(["folder", "--root", str(originals), "--name", "mine", *options]) == 1
    assert capsys.readouterr().err == f"error: {complaint}\n"
    assert not data_root.exists()


def test_every_command_can_prepare(data_root: Path) -> None:
    own = ["--root", "videos"]
    given = {name: [*own, "--lists", "lists"] for name in command.LISTED}
    given |= {"folder": own, "miracl": [*own, "--task", "words"], "pantomime": []}
    for dataset, options in given.items():
        args = command._parser().parse_args([dataset, *options, "--prepare", "--resolution", "56"])
        assert (args.prepare, args.resolution) == (True, 56)
