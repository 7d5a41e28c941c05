"""How the settings of the synthetic study were chosen: requirements, rules of choice, seeds."""

import numpy as np
import pytest

from studylib import REPOSITORY
from studylib.book import calibration, cues
from studylib.book.calibration import ALL, FIRST, SECOND
from studylib.datasets import pantomime
from studylib.runs.plan import load_plan
from studylib.runs.results import load_plan_runs
from studylib.training.evaluation import Predictions, wilson
from tests.fake_runs import PANTOMIME
from tests.made_study import made_run, made_study

MINI = load_plan(REPOSITORY / "runs" / "mini.yaml")
CUES = cues.classes().set_index("action").loc[list(PANTOMIME), "cue"].to_numpy()
# What a run names right of each cue group; of all videos 72.5%, and 6.2 and 2 points more.
GOOD = {"pose": 0.95, "direction": 0.7, "tempo": 0.75, "sequence": 0.5}
MUCH, LITTLE = GOOD | {"direction": 0.95}, GOOD | {"direction": 0.78}
BASE = {"dataset": "pantomime-validation-d100", "epochs": 30, "lr": 0.056, "amp": "bf16"}
SHORT = BASE | {"epochs": 15, "width": 16, "initialisation": "fan_out", "standardise": "clip"}


def named(share, seed=0, a_class=20):
    """Predictions of `a_class` videos of each class: of each cue group the share is right, the rest are named as the
    other member of the pair, of pose as another pose."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(len(PANTOMIME)), a_class)
    chosen = labels ^ 1  # the neighbour in the list is the other member of the pair
    for cue, part in share.items():
        own = np.flatnonzero(CUES[labels] == cue)
        right = rng.permutation(own)[: round(part * len(own))]
        chosen[right] = labels[right]
    scores = [np.full((2, len(PANTOMIME)), 0.01, np.float16) for _ in labels]
    for own, c in zip(scores, chosen, strict=True):
        own[:, c] = 0.8
    return Predictions([f"test/{i:05d}.mp4" for i in range(len(labels))], labels, scores, PANTOMIME)


def runs_of(*outcomes):
    """The runs of the plan, complete where an outcome, (share, fields of the spec), has all their fields; the last one
    counts."""

    def make(planned):
        shares = [share for share, wanted in outcomes if all(getattr(planned.spec, k) == v for k, v in wanted.items())]
        if not shares:
            return None
        run = made_run(planned, named(shares[-1], planned.spec.seed + 10 * (planned.spec.net == "r3d")))
        low, high = wilson(round(run.metrics["video_top1"] * run.videos / 100), run.videos)
        run.metrics.update(low=low, high=high, train_error=15.0)
        run.provenance["device"] = "cpu" if planned.spec.lr == BASE["lr"] else "NVIDIA <X>"
        return run

    return made_study(make, ("calibration",))


def of_net(net):
    return BASE | {"net": net}


def chosen(runs, setting):
    """The value that the rules take."""
    table = calibration.settings(runs)
    (value,) = table.loc[(table["setting"] == setting) & table["chosen"], "value"]
    return value


def of_setting(runs, setting):
    table = calibration.settings(runs)
    return table[table["setting"] == setting].set_index("value")


@pytest.fixture(scope="module")
def recorded():
    """The recorded calibration."""
    return load_plan_runs(load_plan(REPOSITORY / "runs" / "calibration.yaml"))


def test_a_run_of_another_setting_is_not_mixed_in():
    everything = runs_of((GOOD, {}))
    assert sorted(calibration.at(everything)["net"]) == sorted([FIRST, SECOND] * 4 + ["f-R2D", "R2D", "MC3", "rMC3"])
    assert set(calibration.at(everything)["epochs"]) == {30}
    wide = calibration.at(everything, epochs=15, width=32)
    assert sorted(wide["net"]) == [FIRST, SECOND]
    assert wide["run"].str.startswith("wide").all()
    assert calibration.at(everything, "dataset")["dataset"].nunique() == 3


def test_the_accuracy_of_a_group_and_of_all_videos_is_the_mean_over_seeds():
    wanted = of_net("r3d")
    runs = runs_of((GOOD, wanted | {"seed": 0}), (GOOD | {"tempo": 0.95}, wanted | {"seed": 1}))
    table = calibration.levels(calibration.at(runs), SECOND)["accuracy"]
    assert table["tempo"] == pytest.approx(85)
    assert table[ALL] == pytest.approx(75)


def test_a_network_that_names_every_pair_and_guesses_names_five_of_eight_videos():
    assert calibration.most({"direction": 50, "tempo": 50, "sequence": 50}) == 62.5
    assert calibration.most({"sequence": 50}) == 87.5


def test_requirements_are_met_by_good_runs():
    runs = runs_of((GOOD, of_net("r3d")), (dict.fromkeys(GOOD, 0.5) | {"pose": 0.9}, of_net("f_r2d")))
    table = calibration.requirements(runs)
    assert len(table) == 13
    assert table["met"].all()
    row = table.set_index("requirement").loc[f"R3D, video@1, {ALL}"]
    assert row["measured"] == pytest.approx(72.5)
    assert row["low"] < 72.5 < row["high"]


def test_a_network_that_tells_order_is_not_at_chance_inside_the_pairs():
    table = calibration.requirements(runs_of((dict.fromkeys(GOOD, 0.5) | {"tempo": 0.8}, of_net("f_r2d"))))
    table = table[table["requirement"].str.startswith("f-R2D")]
    of_tempo = table["requirement"].str.contains("tempo")
    assert of_tempo.sum() == 2
    assert (table["met"].astype(bool) == ~of_tempo).all()


def test_the_gain_of_longer_clips_is_that_of_the_sequence_videos_alone():
    lengths = {"experiment": "clip_length"}
    longest = (GOOD | {"sequence": 0.9, "pose": 0.5}, {"clip_length": 32})
    table = calibration.time_scale(runs_of((GOOD, SHORT), (GOOD, lengths), longest))
    assert table["span"].tolist() == [8, 16, 29, 32]
    assert table["member"].tolist() == pytest.approx([50, 50, 50, 90])
    gains = table["gain"]
    assert gains[0] is None
    assert [gain.points for gain in gains[1:]] == pytest.approx([0, 0, 40])
    assert [gain.low > 0 for gain in gains[1:]] == [False, False, True]
    assert {gain.tested for gain in gains[1:]} == {80}


def test_a_rate_is_taken_where_both_networks_gain_more_than_the_error_bar():
    outcomes = (GOOD, BASE | {"seed": 0}), (MUCH, {"lr": 0.02}), (LITTLE, {"lr": 0.16})  # on the same videos
    runs = runs_of(*outcomes)
    assert chosen(runs, "lr") == 0.02
    assert of_setting(runs, "lr").loc[0.16, "mean_change"].low > 0  # it is better, by less than the error bar
    assert chosen(runs_of(*outcomes, (MUCH | {"tempo": 0.9}, {"lr": 0.16})), "lr") == 0.16  # the best of two that are


def test_float32_is_taken_where_the_precision_changes_the_difference_of_the_two():
    outcomes = (GOOD, BASE), (GOOD | {"tempo": 0.77}, {"amp": "fp32"})
    assert chosen(runs_of(*outcomes), "amp") == "bf16"
    assert chosen(runs_of(*outcomes, (MUCH, {"amp": "fp32", "net": "r3d"})), "amp") == "fp32"


def test_the_recorded_calibration_misses_one_requirement_of_headroom_and_one_of_the_time_scale(recorded):
    table = calibration.requirements(recorded)
    assert table.loc[~table["met"].astype(bool), "requirement"].tolist() == [f"R3D, video@1, {ALL}"]
    spans = calibration.time_scale(recorded)
    assert spans.loc[[gain is not None and gain.low <= 0 for gain in spans["gain"]], "span"].tolist() == [16]
    assert spans["low"][0] <= 50 <= spans["high"][0]
    assert calibration.gap(calibration.at(recorded)).half_width <= calibration.HALF_WIDTH


def test_the_study_has_the_settings_that_the_rules_choose(recorded):
    own = {run.spec for run in MINI.runs if run.spec.experiment == "conv_types"}
    table = calibration.settings(recorded)
    for row in table[table["chosen"]].itertuples():
        assert {getattr(spec, row.setting) for spec in own} == {row.value}, row.setting
    base = recorded.iloc[0]
    for name in set(calibration.SETTINGS) - {"dataset"}:
        assert {getattr(spec, name) for spec in own} == {base[name]}, name


@pytest.mark.parametrize("name", MINI.datasets)
def test_the_study_is_frozen_to_the_videos_that_its_settings_give(name):
    assert pantomime.manifest_of(name, MINI.datasets[name]) == MINI.manifests[name]
