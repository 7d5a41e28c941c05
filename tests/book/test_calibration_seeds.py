"""How many test videos and seeds the difference of the two networks takes."""

import numpy as np
import pytest

from studylib.book import calibration, calibration_seeds
from studylib.book import calibration_checks as checks
from studylib.book.calibration import FIRST
from studylib.stats.seeds import outcomes_of
from studylib.stats.study_size import expected_half_width, recorded_variances
from tests.made_calibration import BASE, GOOD, MINI, MadeCalibration, small_plan


@pytest.fixture
def study(tmp_path):
    return MadeCalibration(tmp_path)


def test_a_single_seed_of_each_network_is_said_to_cover_the_videos_only(study):
    study.run(**BASE, seed=0)
    loaded = study.load()
    assert "videos only" in calibration_seeds.gap_note(loaded).data
    assert set(checks.error_bar_checks(loaded)["verdict"]) == {"not run"}
    widths = calibration_seeds.half_widths(loaded, MINI)
    assert "two seeds or more" in calibration_seeds.half_widths_note(widths, MINI).data
    assert "Not run" in calibration_seeds.half_widths_table(widths).data
    frame = calibration_seeds.seeds_table(loaded).frame.set_index("net")
    assert "not run" in frame.loc[FIRST, "seed 1"]


def test_repeated_runs_tell_how_many_videos_and_seeds_suffice(study):
    study.run(**BASE)
    plan = small_plan(200, 4, 4)
    table = calibration_seeds.half_widths(study.load(), plan)
    assert {200, 320} <= set(table["videos"])
    assert {1, calibration_seeds.AT_FIRST} <= set(table["seeds"])
    frame = calibration_seeds.half_widths_table(table).frame
    assert list(frame)[1] == "1 seed (videos only)"
    assert not frame["1 seed (videos only)"].str.contains("strong").any()
    for row in table[table["enough"]].itertuples():
        cells = frame.set_index("test videos").loc[f"{row.videos:,}"]
        assert f"<strong>±{row.half_width:.1f}" in cells[f"{row.seeds} seeds"]
    own = table[(table["videos"] == 200) & (table["seeds"] == 4)].iloc[0]
    told = calibration_seeds.half_widths_note(table, plan).data
    assert (
        f"200 test videos and 4 seeds of both: ±{own['half_width']:.1f}, {'' if own['enough'] else 'not '}enough."
        in told
    )


def test_the_width_of_the_interval_is_a_requirement(study):
    table = checks.error_bar_checks(study.run(**BASE).load()).iloc[0]
    d = calibration.gap(study.load().base_runs)
    assert table["measured"] == pytest.approx(d.half_width)
    assert table["verdict"] == ("met" if d.half_width <= 3 else "not met")


def test_more_seeds_are_chosen_by_the_mean_of_both_spreads(study, tmp_path):
    """Seeds of R(2+1)D are alike in the calibration and far apart in the study."""
    again = MadeCalibration(tmp_path, "mini")
    for own in (study, again):
        own.run(**BASE)
    again.run(GOOD | {"direction": 0.1}, net="r2plus1d", seed=1, **BASE)
    both, plan = [study.load(), again.load()], small_plan(320, 10, 4)
    known = calibration_seeds.known_variances(both)
    apart = [recorded_variances(*calibration_seeds.repeated(own)) for own in both]
    assert known.of_seeds[0] == pytest.approx(np.mean([own.of_seeds[0] for own in apart]))
    assert known.of_rest == pytest.approx(np.mean([own.of_rest for own in apart], axis=0))
    means = outcomes_of(calibration_seeds.repeated(both[1])[0], "video_top1").mean(1)
    assert apart[0].of_seeds[0] < known.of_seeds[0] < means.var(ddof=1)
    table = calibration_seeds.more_seeds_table(known, plan).frame.set_index(f"seeds of {FIRST}")
    for first, second in ((4, 4), (16, 5)):
        width = expected_half_width(known, 320, (first, second))
        shown = f"±{width:.1f}"
        assert table.loc[str(first), f"{second} seeds of R3D"] == (f"<strong>{shown}</strong>" if width <= 3 else shown)
    told = calibration_seeds.more_seeds_note(known, plan).data
    width = expected_half_width(known, 320, (10, 4))
    assert told == f"The plan now has 10 seeds of R(2+1)D and 4 of R3D: ±{width:.1f} expected."


def test_without_repeated_runs_more_seeds_are_not_chosen(study):
    known = calibration_seeds.known_variances([study.run(seed=0, **BASE).load()])
    assert calibration_seeds.more_seeds_table(known, MINI).data == "*Not run.*"
    assert calibration_seeds.more_seeds_note(known, MINI).data == "*Not run.*"


def test_the_seeds_of_the_first_plan_are_told_from_those_added():
    assert calibration_seeds.planned_seeds(MINI) == (10, 5)
    mini = calibration.load(name="mini")
    seeds = calibration_seeds.at_first(mini).base_runs.groupby("net")["seed"].apply(sorted)
    assert seeds[FIRST] == seeds["R3D"] == [0, 1, 2, 3]
