"""The chapter on clip length: it shows what the runs say, and those that are missing; made up, never trained."""

import re

import numpy as np
import pandas as pd
import pytest

from studylib import REPOSITORY
from studylib.book import cells, length_figures, length_tables, lengths
from studylib.book.tables import NOT_RUN
from studylib.claims import claim_texts, published
from studylib.claims.recorded import change
from studylib.claims.verdicts_intervals import CLIP, VIDEO
from studylib.claims.verdicts_length import clip_correlation
from studylib.nets.complexity import count_by_name
from studylib.runs.plan import Plan, load_plan
from studylib.training.evaluation import clip_top1, video_top_k
from studylib.training.magnitudes import signed
from tests import verdict_runs
from tests.chapters import below_figures, figures_in, html_of, shown_by
from tests.verdict_runs import PLAN, complete, table

STUDY = Plan(PLAN, "a study", {"pantomime-study": {"train_videos": 1500, "test_videos": 300}}, ())
PAGE = "clip_length"


@pytest.fixture(autouse=True)
def no_datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_DATA", str(tmp_path / "data"))


def runs(whole=(0.1, 0.4, 0.8), without=(), **accuracies):
    """R(2+1)D at 8, 16 and 32 frames, moved and fine-tuned; the runs named in `without` are planned only."""
    made = verdict_runs.lengths(whole=whole, **accuracies)
    return [(name, run.spec if name in without else run) for name, run in made]


def found(made):
    return lengths.lengths_of(table(made), STUDY)


def nothing(made):
    """The same plan before any of it is run."""
    return [(name, run.spec) for name, run in made]


def plan_file(plan):
    return REPOSITORY / "runs" / f"{plan}.yaml"


def predictions_of(made, name):
    return [run.predictions for own, run in made if own.startswith(f"{name}_seed")]


def texts(shown):
    """The cells of a table as text."""
    return shown.frame.map(lambda cell: re.sub("<.*?>", "", cell))


# --- what a plan has


def test_networks_are_found_by_what_they_are():
    own = found(runs())
    assert list(own.trained) == [8, 16, 32]
    assert (own.short, own.long) == (8, 32)
    assert [p.folder for p in own.moved.planned] == [f"runs/study/clip_length/at32_seed{s}" for s in (0, 1, 2)]
    assert own.tuned.planned[0].spec.epochs == 15
    assert own.costs[8].spec.epochs == 45  # of the run that trained it, not of the test of it
    assert own.title == "study: pantomime-study"


@pytest.mark.parametrize("plan", ["mini", "paper"])
def test_the_plans_of_the_study_have_all_of_section_4_3(plan):
    loaded = load_plan(plan_file(plan))
    own = lengths.lengths_of(complete(loaded), loaded)
    assert list(own.trained) == [8, 16, 24, 32, 40, 48]
    assert (own.short, own.long) == (8, 32)
    assert own.moved.done
    assert own.tuned.done


def test_the_curves_are_the_means_over_seeds():
    made = runs()
    frame = lengths.accuracies(found(made)).set_index(["length", "measure"])
    for measure, accuracy in ((CLIP, clip_top1), (VIDEO, lambda p: video_top_k(p, 1))):
        expected = np.mean([accuracy(p) for p in predictions_of(made, "l16")])
        row = frame.loc[(16, measure)]
        assert row["points"] == pytest.approx(expected)
        assert row["low"] < expected < row["high"]


def test_the_correlation_of_each_length_is_that_of_the_rule():
    made = runs()
    frame = lengths.correlations(found(made)).set_index("length")
    for length, name in ((8, "at8"), (16, "l16"), (32, "l32")):
        expected = np.mean([clip_correlation(p).mean() for p in predictions_of(made, name)])
        assert frame["points"][length] == pytest.approx(expected)
    assert frame["points"].is_monotonic_increasing


def test_the_gain_grows_from_nothing_to_what_the_table_shows():
    made = runs()
    own = found(made)
    frame = lengths.gains(own)
    assert set(frame["clips"]) == {1, 2, 3, 4}
    first, last = frame[frame["clips"] == 1], frame[frame["clips"] == 4].set_index("length")
    assert (first[["points", "low", "high"]] == 0).all(axis=None)
    expected = np.mean([video_top_k(p, 1) - clip_top1(p) for p in predictions_of(made, "l16")])
    assert last["points"][16] == pytest.approx(expected)
    shown = length_tables.by_length(own).frame.set_index("frames")["gain of averaging (points)"]["16"]
    assert shown.startswith(f"{expected:+.1f}")


def test_neighbouring_clips_by_hand():
    """64 frames: ten clips of 48 start at 0, 1, 3, ... 16; of 8 at 0, 6, ... 56."""
    assert lengths.steps_between(48, 64, 10) == pytest.approx(16 / 9)
    assert lengths.shared_frames(48, 64, 10) == pytest.approx(1 - 16 / 9 / 48)
    assert lengths.shared_frames(8, 300, 10) == 0  # further apart than they are long
    note = length_tables.overlap_note(found(runs())).data
    assert "of 8 frames start 6.2 frames apart and share 22% of their frames" in note


# --- tables


def test_a_row_has_counted_costs_measured_accuracies_and_links():
    made = runs()
    rows = length_tables.by_length(found(made)).frame.set_index("frames")
    counted = count_by_name("r2plus1d", 18, 16, 16)
    assert rows["GFLOPs a clip"]["16"] == f"{counted.flops / 1e9:.3f}"
    exponent = re.search("<sup>(.*)</sup>", rows["multiply-adds of training"]["16"])[1]
    assert int(exponent) == int(np.log10(3 * 45e6 * counted.flops))
    expected = np.mean([clip_top1(p) for p in predictions_of(made, "l16")])
    assert rows["clip@1 (%)"]["16"].startswith(f"{expected:.1f} ")
    assert "run_pages/study_clip_length_l16_seed2.html" in rows["runs"]["16"]
    assert "run_pages/study_clip_length_at8_seed0.html" in rows["runs"]["8"]


def test_before_any_run_the_costs_are_there_and_the_rest_is_said_to_be_not_run():
    own = found(nothing(runs()))
    rows = length_tables.by_length(own).frame
    assert (rows[["clip@1 (%)", "video@1 (%)", "gain of averaging (points)", "runs"]] == NOT_RUN).all(axis=None)
    assert rows["GFLOPs a clip"].astype(float).is_monotonic_increasing
    assert not own.any_done
    assert lengths.accuracies(own).empty
    assert lengths.gains(own).empty
    column = length_tables.experiments([own]).frame.iloc[:, -1]
    assert list(column).count(NOT_RUN) == len(column) - 2  # a count and the settings of the fine-tuning are known
    assert "counted" in "".join(column)


def test_a_seed_that_is_missing_is_said_to_be_and_the_others_are_shown():
    made = runs(without=("l16_seed1",))
    own = found(made)
    rows = length_tables.by_length(own).frame.set_index("frames")
    expected = np.mean([clip_top1(r.predictions) for n, r in made if n in ("l16_seed0", "l16_seed2")])
    assert rows["clip@1 (%)"]["16"].startswith(f"{expected:.1f} ")
    assert "2 of 3 runs" in rows["clip@1 (%)"]["16"]
    assert "of 3 runs" not in rows["clip@1 (%)"]["32"]
    assert re.sub("<.*?>", "", rows["runs"]["16"]) == "seeds 0 2"
    assert cells.made_of(own.trained.values()).data.endswith("seeds 0, 1, 2: 8 of 9 planned runs complete.")


def test_the_experiments_are_differences_of_the_runs_beside_the_papers_numbers():
    made = runs()
    shown = texts(length_tables.experiments([found(made)]))
    rows = {what: (paper, ours) for what, paper, ours in shown.itertuples(index=False)}
    clip = {
        name: np.mean([clip_top1(p) for p in predictions_of(made, name)]) for name in ("at8", "at32", "l32", "tuned")
    }
    expected = {
        "clip@1 that the short network loses when it is tested on long clips": ("2.6%", clip["at8"] - clip["at32"]),
        "fine-tuned minus from scratch, clip@1": ("−1.7, of the two above", clip["tuned"] - clip["l32"]),
        "fine-tuned minus the short network on short clips, clip@1": ("+4.4%", clip["tuned"] - clip["at8"]),
    }
    for what, (paper, ours) in expected.items():
        assert rows[what][0] == paper
        assert rows[what][1].startswith(f"{signed(ours)} "), what
    assert rows["clip@1 on long clips, trained on them from scratch"][0] == "58.5%"
    assert rows["the fine-tuning"][1] == "15 epochs of 1,000,000 clips, learning rate 0.001"
    assert shown.columns[2] == ("our runs", "plan study: 8 to 32 frames, pantomime-study")


def test_the_loss_of_a_network_on_long_clips_is_taken_of_the_seeds_that_both_tests_have():
    made = runs(without=("at32_seed1", "at8_seed0"), whole=None)
    own = found(made)
    part = change(own.trained[8], own.moved, CLIP)
    two = {n: clip_top1(r.predictions) for n, r in made if n in ("at8_seed2", "at32_seed2")}
    assert part.points == pytest.approx(two["at8_seed2"] - two["at32_seed2"])
    assert not part.covers_seeds
    none = found(runs(without=[f"at32_seed{s}" for s in (0, 1, 2)]))
    assert change(none.trained[8], none.moved, CLIP) is None


def test_multiply_adds_saved_are_counted():
    flops = {n: count_by_name("r2plus1d", 18, 16, n).flops for n in (8, 32)}
    expected = 1 - (45 * flops[8] + 15 * flops[32]) / (45 * flops[32])
    assert length_tables.saved(found(runs())) == pytest.approx(expected)
    assert length_tables.saved(found(nothing(runs()))) == pytest.approx(expected)


def test_the_peak_is_the_highest_of_the_recorded_lengths():
    assert length_tables.peak(found(runs(l16=80, whole=(0, 0, 0)))).startswith("16 frames")
    missing = [f"l16_seed{s}" for s in (0, 1, 2)]
    some = length_tables.peak(found(runs(without=missing, whole=(0, 0, 0))))
    assert some.startswith("32 frames")
    assert "of 2 of 3 lengths" in some
    assert length_tables.peak(found(nothing(runs()))) == NOT_RUN


def test_an_experiment_that_a_plan_lacks_is_not_planned():
    made = [(name, run) for name, run in runs() if not name.startswith("tuned")]
    shown = dict(length_tables.experiments([found(made)]).frame.iloc[:, [0, 2]].itertuples(index=False))
    assert sum("not planned" in cell for cell in shown.values()) == 6
    flat = [(name, run) for name, run in made if not name.startswith("at32")]
    assert "not planned" in length_tables.experiments([found(flat)]).frame.iloc[1, 2]


def test_the_papers_numbers_are_those_of_its_claims():
    known = claim_texts.read_claims("empirical")
    for row in published.table("section43_clip_length").itertuples():
        assert row.printed in known[row.claim].printed
        assert float(re.search(r"[\d.]+", row.printed)[0]) == row.value
    assert "at **24 frames**, and clip@1 at 32 frames, **58.5%**" in length_tables.figure5_note().data


# --- figures and page


def test_each_plan_has_a_panel_and_each_length_a_line():
    own = found(runs())
    figure = length_figures.gain_by_clips({own.title: lengths.gains(own), "other": lengths.gains(own)})
    assert [axes.get_title() for axes in figure.axes] == [own.title, "other"]
    assert figure.axes[1].get_legend_handles_labels()[1] == ["8 frames", "16 frames", "32 frames"]
    figure = length_figures.accuracy_by_length({own.title: lengths.accuracies(own)})
    assert list(figure.axes[0].get_xticks()) == [8, 16, 32]
    figure = length_figures.correlation_by_length({own.title: lengths.correlations(own)})
    points = figure.axes[0].lines[0].get_ydata()
    assert list(points) == list(lengths.correlations(own)["points"])


def both_plans(mini=lambda runs: runs):
    """The runs of the plans mini and paper, those of mini complete; none of paper is run."""
    made = {plan: complete(load_plan(plan_file(plan))) for plan in ("mini", "paper")}
    made["paper"]["state"], made["paper"]["result"] = "not run", None
    return pd.concat([mini(made["mini"]), made["paper"]], ignore_index=True)


def test_the_page_shows_what_is_recorded(monkeypatch):
    shown = shown_by(PAGE, both_plans(), monkeypatch)
    drawn = figures_in(shown)
    assert len(drawn) == (REPOSITORY / "book" / f"{PAGE}.md").read_text().count("    alt: ") == 3
    assert {axes.get_title() for f in drawn for axes in f.axes} == {"mini: pantomime-mini"}
    told = r"Plan \*mini\*, dataset `pantomime-mini`, seeds 0, 1: (\d+) of \1 planned runs complete\."
    assert all(re.search(told, below) for below in below_figures(shown))
    assert any("run_pages/mini_clip_length_r2plus1d-18_48f_seed1.html" in html_of(value) for value in shown)


def test_the_page_says_that_nothing_is_run(monkeypatch):
    def unrun(mini):
        return mini.assign(state="not run", result=None)

    shown = [html_of(value) for value in shown_by(PAGE, both_plans(unrun), monkeypatch)]
    assert sum(value.startswith("*Not run:* plan *mini*, 0 of ") for value in shown) == 3
    assert not any("run_pages" in value for value in shown)
