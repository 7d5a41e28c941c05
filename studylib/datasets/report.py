"""What the command prints of an index: what is there and what is not, beside the published counts."""

import csv
from importlib.resources import files

from studylib.datasets.index import HOW_TO_PART, Index
from studylib.datasets.lists import told

_LINES = 20  # unreadable files that are told; all of them are in the manifest


def published_counts(dataset: str) -> dict[str, tuple[int, str]]:
    """{part: (videos, source)} of a dataset; empty where no count is known."""
    text = (files("studylib.datasets") / "dataset_counts.csv").read_text(encoding="utf-8")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["dataset"] == dataset]
    return {row["part"]: (int(row["videos"]), row["source"]) for row in rows}


def report(index: Index) -> str:
    """The report of an index that `building.build` made, as lines of text."""
    facts, published = index.facts, published_counts(index.facts["dataset"])
    lines = [f"{index.name}: {len(index.table)} videos of {len(index.classes)} classes, index in {index.folder}"]
    lines += [f"  {split}: {n['train']} train, {n['test']} test" for split, n in index.counts().items()]
    if facts["dataset"] == "folder" and not all(index.counts()["split1"].values()):
        lines.append(f"  to train and test, {HOW_TO_PART}")
    lines += ["", *_aligned(_part_rows(index, published)), ""]
    lines += [f"  {line}" for line in _faults(facts) + told(facts.get("passed_over", {}))]
    lines += unreadable_lines(facts["unreadable"], index)
    if published:
        lines.append(f"  published: {'; '.join(dict.fromkeys(source for _, source in published.values()))}")
    else:
        lines.append("  published: no count is known here")
    return "\n".join([*lines, f"  manifest {index.manifest_hash}"])


def unreadable_lines(unreadable: dict[str, str], index: Index) -> list[str]:
    """A line for each of the first videos that cannot be read, and where all are named."""
    lines = [f"    {path}: {reason}" for path, reason in list(unreadable.items())[:_LINES]]
    more = len(unreadable) - _LINES
    return lines + [f"    and {more} more: {index.folder / 'manifest.json'} names them"] * (more > 0)


def _part_rows(index: Index, published: dict[str, tuple[int, str]]) -> list[list[str]]:
    """A header and a row for each part: videos by the lists, in the index, and as published."""
    facts, test_name = index.facts, index.facts["test_name"]
    rows = [["part", "listed", "in the index", "published"]]

    def add(part: str, listed: int, indexed: int) -> None:
        rows.append([part, f"{listed:,}", f"{indexed:,}", f"{published[part][0]:,}" if part in published else "-"])

    for split, listed in facts["listed_in_part"].items():
        indexed = index.counts()[split]
        indexed["neither"] = len(index.table) - sum(indexed.values())
        before = "" if len(facts["listed_in_part"]) == 1 else f"{split} "
        for part, shown in (("train", "train"), ("test", test_name), ("neither", "neither")):
            if listed[part]:
                add(before + shown, listed[part], indexed[part])
    if len(rows) > 2:
        add("all", facts["listed"], len(index.table))
    return rows


def _faults(facts: dict) -> list[str]:
    """What is not as the lists say, a line each."""
    lines = [
        f"of {facts['listed']} listed {facts['missing']} are missing and {len(facts['unreadable'])} unreadable "
        f"(left out), {facts['not_listed']} files are in no list",
        f"{facts['too_short']} are shorter than {facts['min_frames']} frames: kept, a clip repeats their last frame",
        f"{facts['duplicates']} further files of a listed video are not used",
    ]
    said = {
        "repeated_lines": "lines of the lists say the same again",
        "conflicting_lines": "lines say another class or part of a video than an earlier line, which holds",
        "lines_without_label": "lines name no class and are left out",
    }
    return lines + [f"{facts[key]} {text}" for key, text in said.items() if facts[key]]


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
