"""A small made-up study: a recorded run of everything that the plans list, as the trainer and papermill leave it.

Of each network a known share of the clips is right, so that a chapter's numbers can be checked against it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from studylib import REPOSITORY
from studylib.datasets.miracl import CLASSES, FOLDS, VALIDATION_FOLDS
from studylib.datasets.pantomime.actions import VOCABULARIES
from studylib.nets.build import build_net
from studylib.runs import results
from studylib.runs.plan import PlannedRun, load_plan, plan_files
from studylib.training.evaluation import Predictions
from studylib.training.run_files import write_conv1
from tests.fake_runs import write_fake_run

# Percent of the clips that are right; of other networks 60, and of all of them on frames in another order:
RIGHT = {"r2plus1d": 75, "r3d": 70, "rmc3": 72, "mc2": 50, "r2d": 45, "f_r2d": 40}
REORDERED = {"reversed": 25, "shuffled": 20, "frozen": 15}
CLIPS = 2


def predictions_of(planned: PlannedRun, vocabulary: str = "source") -> Predictions:
    """What a run of the plan scored on a few videos: the same ones in every run of a dataset and split."""
    spec, family = planned.spec, planned.spec.dataset_family
    speakers = None
    if family == "miracl":
        classes = CLASSES["phrases" if "phrases" in spec.dataset else "words"]
        folds = VALIDATION_FOLDS if "validation" in spec.dataset else FOLDS
        speakers = [speaker for speaker in folds[spec.split - 1] for _ in classes]
    elif family == "pantomime":
        classes = tuple(action.name for action in VOCABULARIES[vocabulary])
    else:
        classes = tuple(f"class {k}" for k in range(10))
    labels = np.tile(np.arange(len(classes)), len(speakers) // len(classes) if speakers else 4)
    videos = [f"{spec.dataset}/{spec.split}/{i}.mp4" for i in range(len(labels))]
    share = REORDERED.get(spec.frame_order, RIGHT.get(spec.net, 60))
    rng = np.random.default_rng([spec.seed, spec.split, *map(ord, planned.name)])
    wrong = rng.random((len(labels), CLIPS)) > share / 100
    named = (labels[:, None] + wrong * rng.integers(1, len(classes), wrong.shape)) % len(classes)
    scores = list((0.02 + 0.6 * np.eye(len(classes))[named]).astype(np.float16))
    if family == "miracl":
        scores[::3] = [clips[:1] for clips in scores[::3]]  # words may be as short as a clip
    return Predictions(videos, labels, scores, tuple(classes), speakers=speakers)


def small_study(root: Path, plans: tuple[str, ...] = ()) -> pd.DataFrame:
    """Write the runs of these plans, or of all, below `root`, and read them as a build does."""
    (root / "runs").mkdir(parents=True)
    factorised = build_net("r2plus1d", num_classes=2, width=4)  # whose conv1 every run keeps that is asked for it
    for file in plan_files(REPOSITORY / "runs"):
        (root / "runs" / file.name).symlink_to(file)
        plan = load_plan(file)
        for planned in plan.runs if not plans or plan.name in plans else ():
            vocabulary = plan.datasets.get(planned.spec.dataset, {}).get("vocabulary", "source")
            predictions = predictions_of(planned, vocabulary)
            write_fake_run(root / planned.folder, planned.spec, predictions, planned.manifest or "ab" * 32)
            if planned.spec.experiment == "conv_types" and planned.spec.net == "r2plus1d":
                write_conv1(root / planned.folder, factorised)
    return results.table(repository=root)
