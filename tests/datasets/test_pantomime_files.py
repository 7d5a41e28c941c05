"""Pantomime's files: the same videos however often, wherever and by how many processes they are made."""

import re
from pathlib import Path

import numpy as np
import pytest

from studylib.datasets import pantomime
from studylib.datasets.__main__ import main
from studylib.datasets.index import DatasetError, load_index
from studylib.datasets.pantomime.actions import CUES, VOCABULARIES
from studylib.datasets.pantomime.knobs import Knobs, at_difficulty, draw_nuisances
from studylib.video.reading import scan, write_video
from tests.video_folders import read_clip

SHORT = Knobs(num_frames=3)  # files for tests of the making, not of what they show


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """32 training and 16 test videos of three frames, made by one process."""
    root = tmp_path_factory.mktemp("data")
    return pantomime.make("tiny", 32, 16, data_root=root, workers=1, knobs=SHORT)


def test_the_files_are_h264_videos_that_show_the_frames(made):
    assert len(made.table) == 48
    for row in made.table.to_pylist()[::7]:
        info = scan(made.path(row["path"])).info
        assert (info.num_frames, info.fps, info.width, info.height) == (3, 16, 172, 128)
        shown = read_clip(made.path(row["path"]), 0, 3, size=(128, 172)).astype(int)
        rendered = pantomime.frames(made.classes[row["label"]], row["pool"], row["number"], knobs=SHORT)
        assert np.abs(shown - rendered).mean() < 6


def test_every_class_has_as_many_videos_and_the_manifest_tells_how_they_were_made(made):
    for part, count in (("train", 2), ("test", 1)):
        labels = made.table["label"].take(made.rows(1, part)).to_pylist()
        assert np.bincount(labels).tolist() == [count] * 16
    cues = dict(zip(made.table["label"].to_pylist(), made.table["cue"].to_pylist(), strict=True))
    assert [cues[label] for label in range(16)] == [cue for cue in CUES for _ in range(4)]
    assert (made.facts["settings"]["haze"], made.facts["settings"]["seed"]) == ([0.55, 0.75], 7)


def test_files_that_another_machine_writes_otherwise_are_the_same_videos(made, tmp_path, monkeypatch):
    monkeypatch.setattr(pantomime, "write_video", lambda *video, crf: write_video(*video, crf=crf + 9))
    other = pantomime.make("tiny", 32, 16, data_root=tmp_path / "other", workers=1, knobs=SHORT)
    assert other.table["sha256"] != made.table["sha256"]
    assert other.table.drop_columns("sha256") == made.table.drop_columns("sha256")
    assert other.manifest_hash == made.manifest_hash
    monkeypatch.undo()
    assert pantomime.make("tiny", 32, 16, data_root=tmp_path, workers=2, knobs=SHORT).table == made.table


def test_the_manifest_of_a_plans_dataset_is_known_before_a_video_of_it_is_made(tiny_pantomime):
    given = {"train_videos": 32, "test_videos": 16, "seed": 3}
    made = load_index("pantomime-tiny", tiny_pantomime.parent).manifest_hash
    assert pantomime.manifest_of("pantomime-tiny", given) == made
    assert pantomime.manifest_of("pantomime-tiny", given | {"difficulty": 0.5}) != made
    with pytest.raises(ValueError, match="needs a video of each in both parts"):
        pantomime.manifest_of("pantomime-tiny", given | {"test_videos": 1})


def test_called_again_it_makes_only_what_is_missing_or_damaged(tmp_path):
    def make(train):
        return pantomime.make("again", train, 16, data_root=tmp_path, workers=1, knobs=SHORT)

    first = make(16)
    lost, damaged, *kept = [first.path(path) for path in first.table["path"].to_pylist()]
    lost.unlink()
    damaged.write_bytes(damaged.read_bytes()[:-100])
    (damaged.parent / ".x.mp4.1.partial").write_bytes(b"half")
    with open(first.folder / "videos.jsonl", "a") as journal:
        journal.write('{"path": "videos/tr')  # torn by a kill
    before = {path: path.stat().st_mtime_ns for path in kept}
    again = make(16)
    assert again.table == first.table
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    train = again.table["path"].take(again.rows(1, "train")).to_pylist()
    assert {path.name for path in damaged.parent.iterdir()} == {Path(path).name for path in train}
    larger = make(32)
    assert len(larger.table) == 48
    assert {path: path.stat().st_mtime_ns for path in kept} == before


def test_other_settings_under_the_same_name_are_refused(made):
    make = {"data_root": made.folder.parent, "workers": 1}
    with pytest.raises(DatasetError, match=r"settings.json: .* made with seed 7, not 8: take another name"):
        pantomime.make("tiny", 32, 16, seed=8, knobs=SHORT, **make)
    with pytest.raises(DatasetError, match=r"num_frames 3, not 64"):
        pantomime.make("tiny", 32, 16, **make)
    with pytest.raises(DatasetError, match=r"vocabulary source, not target"):
        pantomime.make("tiny", 32, 16, vocabulary="target", knobs=SHORT, **make)


def test_arguments_that_make_no_dataset_are_refused_before_anything_is_written(tmp_path):
    for arguments, reason in (
        ((8, 16, 7, "source"), "16 classes"),
        ((16, 16, -1, "source"), "seed must not be negative"),
        ((16, 16, 7, "third"), "take one of source, target"),
        ((24, 16, 7, "target"), "train must be at least 32"),
    ):
        with pytest.raises(ValueError, match=reason):
            pantomime.make("no", *arguments, data_root=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_target_has_three_splits_whose_test_folds_share_nothing(tmp_path):
    target = pantomime.make("t", 24, 8, vocabulary="target", data_root=tmp_path, workers=1, knobs=SHORT)
    assert target.splits == (1, 2, 3)
    assert target.classes == tuple(action.name for action in VOCABULARIES["target"])
    tested = []
    for split in target.splits:
        train, test = (target.table.take(target.rows(split, part)).to_pylist() for part in ("train", "test"))
        assert (len(train), len(test)) == (24, 8)
        assert {row["label"] for row in test} == set(range(8))
        persons = [{draw_nuisances(7, row["pool"], row["number"])["person"] for row in rows} for rows in (train, test)]
        assert persons[0].isdisjoint(persons[1])
        tested += [row["path"] for row in test]
    assert len(set(tested)) == 24


def test_the_command_line_makes_a_dataset_and_reports_its_counts(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDY_DATA", str(tmp_path))
    given = "pantomime --name small --vocabulary target --train 16 --test 8 --seed 2 --difficulty 0.5 --workers 1"
    assert main(given.split()) == 0
    assert "split3: 16 train, 8 test" in capsys.readouterr().out
    assert len(load_index("small").table) == 24
    settings = load_index("small").facts["settings"]
    assert (settings["difficulty"], settings["yaw"]) == (0.5, list(at_difficulty(0.5).yaw))
    assert main([*given.split(), "--manifest", load_index("small").manifest_hash]) == 0
    assert main([*given.split(), "--manifest", "ab" * 32]) == 1
    assert re.search(r"dataset small: its manifest is \w+, the plan fixes ababababab", capsys.readouterr().err)
