"""The page on real video: what MIRACL-VC1 looks like in numbers, since none of its frames is shown."""

import sys
from importlib.resources import files
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studylib.book.figures import BLUE, GREY, VERMILION, WIDTH, drawn
from studylib.datasets.miracl import CLASSES, FRAMES_A_WORD, frame_files, read, read_picture
from studylib.stats.estimates import outcomes
from studylib.stats.intervals import student_quantile

PLACES = np.linspace(0, 1, 12)  # through a word, at which its openings are compared


def takes() -> pd.DataFrame:
    """A row a take of both tasks; columns as of `describe`, with openings as an array (frames,)."""
    with (files("studylib.datasets") / "miracl_takes.csv").open(encoding="utf-8") as file:
        rows = pd.read_csv(file)
    return rows.assign(openings=rows["openings"].map(lambda text: np.array(text.split(), float)))


@drawn
def mouth_openings(words: pd.DataFrame, pair: tuple[str, str]) -> Figure:
    """How far the mouth is open in the course of two words, takes of one task: a thin line a take, a thick one their
    mean."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    for name, colour in zip(pair, (VERMILION, BLUE), strict=True):
        own = words.loc[words["class"] == name, "openings"]
        curves = np.stack([np.interp(PLACES, np.linspace(0, 1, len(o)), o / o.mean()) for o in own])
        axes.plot(PLACES, curves[::5].T, color=colour, linewidth=0.5, alpha=0.25)
        axes.plot(PLACES, curves.mean(0), color=colour, linewidth=3)
        top = int(curves.mean(0).argmax())
        axes.annotate(name, (PLACES[top], curves.mean(0)[top]), (0, 10), textcoords="offset points", color=colour)
    axes.set(xlabel="course of the word", ylabel="height of the crop / its mean", ylim=(0.4, 1.8))
    return figure


@drawn
def speakers(words: pd.DataFrame, low: int) -> Figure:
    """Of each speaker, from slow to fast: frames a word, beside a line at `low`, and brightness."""
    by_speaker = words.groupby("speaker")
    order = list(FRAMES_A_WORD)
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 4.2), sharey=True)
    places = np.arange(len(order))[::-1]
    quartiles = by_speaker["frames"].quantile([0.05, 0.5, 0.95]).unstack().loc[order]
    left.hlines(places, quartiles[0.05], quartiles[0.95], color=GREY, linewidth=1)
    left.plot(quartiles[0.5], places, "o", color=BLUE)
    left.axvline(low, color=VERMILION, linewidth=1)
    left.set(xlabel="frames a word", yticks=places, yticklabels=order)
    left.xaxis.get_major_locator().set_params(integer=True)
    brightness = by_speaker["brightness"].mean().loc[order]
    right.plot(brightness, places, "s", color=BLUE)
    right.set(xlabel="mean grey level (0 to 255)", xlim=(0, 255))
    return figure


def gaps(runs: pd.DataFrame) -> pd.DataFrame:
    """Clip@1 of R(2+1)D minus that of R3D in points: a row a pair of complete runs that differ in the network alone, a
    column a speaker, nan for those whom the pair was not tested on."""
    rows = []
    for _, pair in runs.groupby(["lr", "epochs", "flip", "standardise", "split", "seed"]):
        nets = {net: outcomes(own["result"], "clip_top1") for net, own in pair.groupby("net")}
        if {"R(2+1)D", "R3D"} <= nets.keys():
            speakers = np.unique(pair["result"].iloc[0].predictions.speakers)
            rows.append(pd.Series(nets["R(2+1)D"].minus(nets["R3D"]).values[0], speakers))
    return pd.DataFrame(rows)


def expected_half_width(gaps: pd.DataFrame, seeds: int, folds: int = 5) -> float:
    """Half the width, in points, of `intervals.speakers_interval` of two networks' gap in a study of all speakers.

    The speakers of a pair share its two runs. What the pairs' means differ by, beyond what so few speakers explain, is
    taken as the runs' variance, which more seeds make smaller; the spread of the speakers within a pair as their own,
    which they do not.
    """
    of_speakers, tested = gaps.var(axis=1, ddof=1).mean(), gaps.notna().sum(axis=1).mean()
    of_runs = max(0.0, gaps.mean(axis=1).var(ddof=1) - of_speakers / tested)
    speakers = len(FRAMES_A_WORD)
    variance = of_runs / (folds * seeds) + of_speakers / speakers
    return student_quantile(0.975, speakers - 1) * variance**0.5


def describe(root: Path | str) -> pd.DataFrame:
    """Numbers of each take of both tasks, none of which shows a frame: a row a take.

    Columns: speaker, task, class, take, frames, brightness (mean grey level, 0 to 255), and openings, the heights of
    the crops over their width, frame by frame, with spaces between: a crop is as wide as the mouth and follows lips.
    """
    rows = []
    for task in CLASSES:
        for key, video in read(Path(root), task).videos.items():
            pictures = [read_picture(path) for path in frame_files(Path(root) / key).values()]
            speaker, _, _, take = key.split("/")
            name = CLASSES[task][video.labels[0]]
            openings = " ".join(f"{picture.shape[0] / picture.shape[1]:.2f}" for picture in pictures)
            brightness = round(float(np.mean([picture.mean() for picture in pictures])), 1)
            rows.append((speaker, task, name, int(take), len(pictures), brightness, openings))
    return pd.DataFrame(rows, columns=["speaker", "task", "class", "take", "frames", "brightness", "openings"])


if __name__ == "__main__":  # python -m studylib.book.lips cropped > studylib/datasets/miracl_takes.csv
    describe(sys.argv[1]).to_csv(sys.stdout, index=False)
