"""A calibration whose outcome is known: fake runs of a small plan."""

import numpy as np

from studylib import REPOSITORY
from studylib.book import calibration, cues
from studylib.runs.plan import Plan, PlannedRun, load_plan
from studylib.training.evaluation import Predictions
from studylib.training.spec import RunSpec
from tests.fake_runs import PANTOMIME, write_fake_run

PLAN = """
title: "calibration: for tests"
datasets:
  pantomime-a: {test_videos: 320, seed: 9, difficulty: 0.5}
  pantomime-b: {test_videos: 320, seed: 9, difficulty: 0.25}
  pantomime-c: {test_videos: 320, seed: 9, difficulty: 1}
defaults: {experiment: conv_types, dataset: pantomime-a, width: 16, epochs: 4, clips_per_epoch: 100}
runs:
  - {net: [r3d, r2plus1d], seed: [0, 1, 2]}
  - {net: [f_r2d], seed: [0]}
  - {name: x, dataset: [pantomime-c, pantomime-b], net: [r2plus1d, r3d, f_r2d]}
  - {name: y, net: [r2plus1d, r3d], lr: [0.0035, 0.028]}
  - {name: z, net: [r2plus1d, r3d], amp: fp32, seed: [0, 1, 2]}
  - {name: short, net: [r2plus1d, r3d], epochs: 2}
  - {name: wide, net: [r2plus1d, r3d], epochs: 2, width: 32}
  - {experiment: clip_length, net: r2plus1d, epochs: 2, clip_length: [32, 16, 8]}
  - {experiment: clip_length, net: r2plus1d, epochs: 2, frame_step: [4]}
"""
GOOD = {"pose": 0.95, "direction": 0.7, "tempo": 0.75, "sequence": 0.5}  # 72.5% of all videos
MINI = load_plan(REPOSITORY / "runs" / "mini.yaml")
CLASSES = cues.classes().set_index("action").loc[list(PANTOMIME)]


def named(share, seed=0, a_class=20):
    """Predictions of `a_class` videos of each class: of each cue group the share is right, the rest
    are named as the other member of the pair, of pose as another pose."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(len(PANTOMIME)), a_class)
    chosen = labels ^ 1  # the neighbour in the list is the other member of the pair
    for cue, part in share.items():
        own = np.flatnonzero((CLASSES["cue"] == cue).to_numpy()[labels])
        right = rng.permutation(own)[: round(part * len(own))]
        chosen[right] = labels[right]
    scores = [np.full((10, len(PANTOMIME)), 0.01, np.float16) for _ in labels]
    for own, c in zip(scores, chosen, strict=True):
        own[:, c] = 0.8
    return Predictions([f"test/{i:05d}.mp4" for i in range(len(labels))], labels, scores, PANTOMIME)


class MadeCalibration:
    """Write fake runs of the plan, `run(share, net=..., seed=...)` any number of times, and load the calibration; under
    another name, those of a study."""

    def __init__(self, root, name="calibration"):
        self.root, self.name, self.plan = root, name, root / "runs" / f"{name}.yaml"
        self.plan.parent.mkdir(exist_ok=True)
        self.plan.write_text(PLAN)

    def run(self, share=GOOD, **wanted):
        """Complete every planned run that has the wanted fields; the others of its fields are free."""
        for planned in load_plan(self.plan).runs:
            if all(getattr(planned.spec, name) == value for name, value in wanted.items()):
                number = planned.spec.seed + 10 * (planned.spec.net == "r3d")
                write_fake_run(self.root / planned.folder, planned.spec, named(share, number))
        return self

    def load(self):
        return calibration.load(self.root, self.name)


BASE = {"dataset": "pantomime-a", "epochs": 4, "lr": 0.01, "amp": "bf16"}


def verdicts(table):
    return dict(zip(table["what"], table["verdict"], strict=True))


def small_plan(videos, first, second):
    """Of so many seeds of R(2+1)D and of R3D."""
    seeds = [("r2plus1d", s) for s in range(first)] + [("r3d", s) for s in range(second)]
    specs = [RunSpec(experiment="conv_types", net=net, dataset="pantomime-m", seed=seed) for net, seed in seeds]
    runs = tuple(PlannedRun("m", f"{spec.net}{spec.seed}", spec) for spec in specs)
    return Plan("m", "a plan", {"pantomime-m": {"test_videos": videos}}, runs)
