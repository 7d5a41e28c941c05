"""An index says which videos there are, and its hash says whether they are still the same."""

import errno
import pickle
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from studylib.datasets.index import DatasetError, Index, load_index, write_index
from tests.made_videos import files_limited_to

CLASSES = ("wave", "clap")


def columns(**changes: list) -> dict[str, list]:
    return {
        "path": ["wave/a.mp4", "clap/b.mp4", "wave/c.mp4"],
        "label": [0, 1, 0],
        "num_frames": [30, 40, 50],
        "fps": [25.0, 29.97, 25.0],
        "width": [172, 172, 172],
        "height": [128, 128, 128],
        "split1": ["train", "test", "train"],
        "split2": ["test", "", "train"],
        "cue": ["pose", "tempo", "pose"],
        **changes,
    }


def write(root: Path, name: str = "small", **changes: list) -> Index:
    return write_index(name, root / "videos", CLASSES, columns(**changes), {"seed": 7, "sizes": (1, 2)}, root)


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = write(tmp_path)
    read = load_index("small", tmp_path)
    assert read.table.equals(written.table)
    assert (read.name, read.classes, read.facts) == ("small", CLASSES, {"seed": 7, "sizes": [1, 2]})
    assert read.root == written.root == tmp_path / "videos"
    assert read.manifest_hash == written.manifest_hash
    assert read.table.schema.field("label").type == pa.int32()
    assert read.table["cue"].to_pylist() == ["pose", "tempo", "pose"]


def test_rows_are_the_numbers_of_the_videos_of_one_part(tmp_path: Path) -> None:
    index = write(tmp_path)
    assert index.rows(1, "train").tolist() == [0, 2]
    assert index.rows(2, "test").tolist() == [0]
    with pytest.raises(DatasetError, match=r"small: .*splits: 1, 2; parts: train, test"):
        index.rows(3, "train")


def test_the_hash_changes_with_every_value_but_not_with_place_name_or_where_the_frames_are(tmp_path: Path) -> None:
    index = write(tmp_path)
    assert write(tmp_path / "elsewhere", "other").manifest_hash == index.manifest_hash
    assert write(tmp_path, "timed", timeline=[b"x"] * 3).manifest_hash == index.manifest_hash
    changes = [{}, {"label": [0, 1, 1]}, {"num_frames": [30, 40, 51]}, {"cue": ["pose"] * 3}, {"split2": [""] * 3}]
    assert len({write(tmp_path, **change).manifest_hash for change in changes}) == len(changes)


def test_the_hash_is_that_of_recorded_runs(tmp_path: Path) -> None:
    """Written down from the first version: a run's provenance must go on naming its videos."""
    assert write(tmp_path).manifest_hash == "d9d30a8f1e7f0ffc75f3ed17126affb343190bb9ece0184cb01e912c8ba0e8f6"


def test_an_index_that_holds_its_videos_can_be_moved_and_no_path_leads_out_of_it(tmp_path: Path) -> None:
    write_index("own", tmp_path / "own", CLASSES, columns(), {}, tmp_path)
    shutil.move(tmp_path / "own", tmp_path / "moved" / "own")
    index = load_index("own", tmp_path / "moved")
    assert index.path("wave/a.mp4") == tmp_path / "moved" / "own" / "wave" / "a.mp4"
    for path in ("../a.mp4", "wave/../../a.mp4", "/a.mp4", "wave\\a.mp4", ""):
        with pytest.raises(DatasetError, match="must be relative"):
            write(tmp_path, path=["a", path, "c"])


def test_an_unknown_name_is_answered_with_the_indexes_there_are_and_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="none yet"):
        load_index("big", tmp_path)
    write(tmp_path)
    with pytest.raises(DatasetError, match=r"'big'.*there are: small.*python -m studylib\.datasets pantomime"):
        load_index("big", tmp_path)
    for name in ("../small", "a/b", ""):
        with pytest.raises(DatasetError, match="dataset name"):
            write(tmp_path, name)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"label": [0, 2, 0]}, "row 1, column label: 2 must be 0 to 1"),
        ({"label": ["wave", "clap", "wave"]}, "column label must be int32"),
        ({"num_frames": [30, 0, 50]}, "row 1, column num_frames: 0 must be at least 1"),
        ({"split1": ["train", "test", "validation"]}, "row 2, column split1: 'validation'"),
        ({"path": ["a", "b", "a"]}, "row 0, column path: 'a' stands twice"),
        ({"path": ["a", "../b", "c"]}, "row 1, column path: '../b' must be relative"),
    ],
)
def test_a_wrong_value_is_refused_by_row_and_column(tmp_path: Path, changes: dict[str, list], complaint: str) -> None:
    with pytest.raises(DatasetError, match=complaint):
        write(tmp_path, **changes)
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize("labels", [[[0], [1], []], [[0], [1], [1, 0]], [[0], [1, 2], [0]]])
def test_several_labels_are_classes_and_begin_with_the_first(tmp_path: Path, labels: list) -> None:
    kept = write(tmp_path, labels=[[0, 1], [1], [0]])
    assert kept.table["labels"].to_pylist() == [[0, 1], [1], [0]]
    assert kept.manifest_hash != write(tmp_path / "other").manifest_hash
    with pytest.raises(DatasetError, match=r"column labels: .* must be classes"):
        write(tmp_path / "third", labels=labels)


def test_another_process_gets_the_way_to_the_index_not_its_rows(tmp_path: Path) -> None:
    index = write(tmp_path)
    again = pickle.loads(pickle.dumps(index))
    assert len(pickle.dumps(index)) < 500
    assert again.table.equals(index.table)
    assert again.manifest_hash == index.manifest_hash


@pytest.mark.parametrize("file", ["index.arrow", "manifest.json", "edited"])
def test_a_truncated_or_edited_index_is_one_error_that_names_it(tmp_path: Path, file: str) -> None:
    write(tmp_path)
    path = tmp_path / "small" / ("manifest.json" if file == "edited" else file)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"clap"', b'"slap"') if file == "edited" else whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"small: (broken index|.* do not fit).*make it again") as raised:
        load_index("small", tmp_path)
    assert "\n" not in str(raised.value)


def test_a_full_disk_leaves_the_earlier_index(tmp_path: Path) -> None:
    before = write(tmp_path).manifest_hash
    # The table still goes through, the manifest does not.
    limit = (tmp_path / "small" / "index.arrow").stat().st_size + 1000
    many_facts = {"facts": "x" * 10_000}
    with files_limited_to(limit), pytest.raises(OSError, match=r"manifest\.json: cannot write.*intact") as raised:
        write_index("small", tmp_path / "videos", CLASSES, columns(label=[1, 1, 1]), many_facts, tmp_path)
    assert raised.value.errno == errno.EFBIG
    assert load_index("small", tmp_path).manifest_hash == before
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == ["index.arrow", "manifest.json"]
