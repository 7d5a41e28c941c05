"""The official lists of the datasets, where they are at hand, have the published classes and videos."""

import csv
from pathlib import Path
from types import ModuleType

import pytest

from studylib.datasets import hmdb51, kinetics, sports1m, ucf101
from studylib.datasets.report import published_counts
from tests.video_folders import OFFICIAL, needs_official_lists, put_lines

pytestmark = needs_official_lists


@pytest.mark.parametrize(
    ("module", "name", "ends"),
    [(ucf101, "UCF101", (101, "ApplyEyeMakeup", "YoYo")), (hmdb51, "HMDB51", (51, "brush_hair", "wave"))],
)
def test_the_official_lists_count_as_published(module: ModuleType, name: str, ends: tuple) -> None:
    lists = module.read(OFFICIAL / name.lower())
    counted = {"all": len(lists.videos)}
    for split in range(3):
        for part in ("train", "test"):
            counted[f"split{split + 1} {part}"] = sum(video.parts[split] == part for video in lists.videos.values())
    assert counted == {part: videos for part, (videos, _) in published_counts(name).items()}
    assert (len(lists.classes), lists.classes[0], lists.classes[-1]) == ends


def test_kinetics_validation_list_has_the_400_classes_in_their_order() -> None:
    with (OFFICIAL / "kinetics400_val.csv").open(encoding="utf-8") as file:
        names = sorted({row["label"] for row in csv.DictReader(file)})
    lists = kinetics.read_400(OFFICIAL / "kinetics400_val.csv")
    assert list(lists.classes) == names
    assert len(lists.videos) == 19906  # one less than at release
    assert {video.parts for video in lists.videos.values()} == {("test",)}
    assert (lists.repeated, lists.conflicting) == (0, 0)


def test_sports1m_has_487_classes_in_their_order(tmp_path: Path) -> None:
    for part in ("train", "test"):
        put_lines(tmp_path / f"{part}_partition.txt")
    (tmp_path / "sports1m_labels.txt").write_bytes((OFFICIAL / "sports1m_labels.txt").read_bytes())
    classes = sports1m.read(tmp_path).classes
    assert (len(classes), classes[0], classes[1], classes[-1]) == (487, "boomerang", "boxing", "model aircraft")
