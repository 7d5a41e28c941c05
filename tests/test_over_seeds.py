"""A network over its seeds: which runs, how many of them, and numbers against the same computed another way."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t, ttest_ind

from studylib import over_seeds
from studylib.evaluation import clip_top1, video_top_k
from studylib.seeds import difference
from studylib.verdicts_intervals import CLIP, VIDEO
from tests.made_study import cells_of, made_study, random_run

TABLE2 = ("conv_types",)


def but(*seeds):
    """Runs of Table 2 that are complete but those of these seeds."""

    def make(planned):
        wanted = planned.plan == "mini" and planned.spec.experiment == "conv_types" and planned.spec.seed not in seeds
        return random_run(planned) if wanted else None

    return make


def of(runs, net="r3d"):
    return over_seeds.planned(runs, "mini", TABLE2, net=net)


@pytest.fixture(scope="module")
def whole():
    return made_study(but())


@pytest.fixture(scope="module")
def partly():
    return made_study(but(1))


def test_a_network_is_its_seeds_and_no_other_run(whole):
    rows = of(whole)
    assert rows["seed"].tolist() == [0, 1, 2]
    assert set(rows["run"]) == {f"r3d-18_8f_seed{seed}" for seed in range(3)}


def test_the_first_experiment_that_plans_it_counts(whole):
    deep = over_seeds.planned(whole, "mini", ("depth", "conv_types"), net="r3d", depth=34)
    assert set(deep["experiment"]) == {"depth"}
    shallow = over_seeds.planned(whole, "mini", ("depth", "conv_types"), net="r3d", depth=18)
    assert set(shallow["experiment"]) == {"conv_types"}


def test_accuracies_are_means_over_the_seeds_inside_their_intervals(whole):
    for measure, of_one in ((CLIP, clip_top1), (VIDEO, lambda p: video_top_k(p, 1))):
        part = over_seeds.accuracy(of(whole), measure)
        assert part.points == pytest.approx(np.mean([of_one(run.predictions) for run in of(whole)["result"]]))
        assert part.low < part.points < part.high
        assert part.covers_seeds


def test_a_difference_is_that_of_seeds(whole):
    scores = [{run.spec.seed: run.predictions for run in of(whole, net)["result"]} for net in ("r2plus1d", "r3d")]
    known = difference(*scores, "clip_top1")
    part = over_seeds.difference(of(whole, "r2plus1d"), of(whole, "r3d"), CLIP)
    assert (part.points, part.low, part.high) == pytest.approx((known.points, known.low, known.high))


def test_one_number_a_seed_has_students_interval_and_two_networks_welchs():
    a, b = [20.0, 22.0, 21.0], [17.0, 15.0, 16.6]
    part = over_seeds.sum_over_seeds([a])
    half = t.ppf(0.975, 2) * np.std(a, ddof=1) / np.sqrt(3)
    assert (part.points, part.low, part.high) == pytest.approx((21, 21 - half, 21 + half))
    part, known = over_seeds.sum_over_seeds([a], [b]), ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (part.low, part.high) == pytest.approx((known.low, known.high))


def test_a_single_seed_has_a_number_and_no_interval():
    part = over_seeds.sum_over_seeds([[20.0]], [[15.0, 17.0]])
    assert part.points == 4
    text = over_seeds.cell(part, sign=True)
    assert "+4.0" in text
    assert "one seed" in text
    assert "nan" not in text


def test_the_interval_of_a_percentage_ends_at_0_and_100(whole):
    part = replace(over_seeds.accuracy(of(whole), CLIP), points=98.0, low=-3.0, high=103.0)
    assert (over_seeds.bounded(part).low, over_seeds.bounded(part).high) == (0, 100)
    assert over_seeds.bounded(part).points == 98
    single = over_seeds.bounded(over_seeds.sum_over_seeds([[20.0]]))
    assert np.isnan([single.low, single.high]).all()


def test_no_seed_gives_no_number():
    assert over_seeds.sum_over_seeds([[]], [[15.0, 17.0]]) is None


def test_what_is_missing_is_told(whole, partly):
    assert over_seeds.lack(of(whole)) == ""
    assert over_seeds.lack(of(partly)) == "2 of 3 seeds"
    assert over_seeds.lack(of(made_study())) == "not run"
    assert over_seeds.lack(of(whole, "c3d")) == "not planned"
    assert over_seeds.lack(of(whole), of(partly)) == "2 of 3 seeds"
    assert over_seeds.lack(of(partly), of(whole, "c3d")) == "not planned"


def test_a_cell_shows_number_interval_and_what_is_missing(partly):
    part = replace(over_seeds.accuracy(of(partly), CLIP), points=61.24, low=58.0, high=64.06)
    text = over_seeds.cell(part, over_seeds.lack(of(partly)), after=over_seeds.seed_links(of(partly)))
    assert "61.2 " in text
    assert "(58.0 to 64.1)" in text
    assert "2 of 3 seeds" in text
    assert "mini_conv_types_r3d-18_8f_seed0.html" in text
    assert "seed1.html" not in text


@pytest.mark.parametrize(("lacks", "shown"), [("not run", "not run"), ("", "not run"), ("not planned", "not planned")])
def test_a_cell_without_a_number_says_why(lacks, shown):
    assert over_seeds.cell(None, lacks) == f'<span class="not-run">{shown}</span>'


def test_a_figure_tells_what_it_is_made_of(whole, partly):
    assert "seeds 0, 1, 2: 3 of 3 planned runs complete" in over_seeds.made_of(of(whole)).data
    assert "seeds 0, 2: 2 of 3 planned runs complete" in over_seeds.made_of(of(partly)).data
    assert "`pantomime-mini`" in over_seeds.made_of(of(partly)).data
    assert over_seeds.made_of(of(made_study())).data.startswith("*Not run:*")
    assert over_seeds.made_of(of(whole, "c3d")).data.startswith("*Not run:*")


@pytest.mark.parametrize("chapter", ["why_factorise", "filters", "cues"])
def test_every_figure_of_these_chapters_has_an_alternative_text(chapter):
    drawing = [head for head, code in cells_of(chapter) if re.search(r"(filter|order|factorising)_figures\.", code)]
    assert drawing
    assert all("alt: " in head for head in drawing)
