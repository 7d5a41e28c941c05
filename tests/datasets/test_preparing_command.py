"""The option --prepare of the commands that index a dataset."""

import re
from pathlib import Path

import pytest

from studylib.datasets import __main__ as command
from tests.prepared_videos import make_originals


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_originals(tmp_path_factory.mktemp("originals"))


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
