"""Plan files: what they expand to, and how a typo is refused."""

import pytest

from studylib.runs.plan import PlanError, check_here, load_plan, main, plan_files
from studylib.training.spec import SpecError

GOOD = """
title: "a try"
datasets:
  pantomime-try: {train_videos: 16, test_videos: 16}
defaults: {dataset: pantomime-try, epochs: 2}
runs:
  - {experiment: conv_types, net: [r2d, r3d], seed: [0, 1]}
  - {experiment: conv_types, net: r3d, lr: [0.01, 0.02]}
"""


def plan_of(tmp_path, text):
    path = tmp_path / "try.yaml"
    path.write_text(text)
    return load_plan(path)


def test_lists_stand_for_one_run_of_each_value(tmp_path):
    plan = plan_of(tmp_path, GOOD)
    assert [run.name for run in plan.runs] == [
        "r2d-18_8f_seed0",
        "r2d-18_8f_seed1",
        "r3d-18_8f_seed0",
        "r3d-18_8f_seed1",
        "r3d-18_8f_lr0.01_seed0",
        "r3d-18_8f_lr0.02_seed0",
    ]
    assert plan.runs[5].spec.lr == 0.02
    assert plan.runs[0].spec.epochs == 2
    assert plan.runs[0].folder.as_posix() == "runs/try/conv_types/r2d-18_8f_seed0"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title:", "titel:", "the plan: titel: no such entry; did you mean 'title'"),
        ("net: r3d", "nett: r3d", "run 2: nett: no such entry; did you mean 'net'"),
        ("net: r3d", "net: r5d", "run 2: net: 'r5d' should be 'r2d'"),
        ("[0.01, 0.02]", "[1e-2]", r"run 2: lr: '1e-2' should be a valid number"),
        ("lr: [0.01, 0.02]", "epochs: 2", "two runs would write to runs/try/conv_types/r3d-18_8f_seed0"),
        ("train_videos", "trane_videos", "dataset pantomime-try: trane_videos: no such entry"),
        ("test_videos: 16", "difficulty: 1", "dataset pantomime-try: test_videos is missing"),
        ("test_videos: 16", "test_videos: 16, difficulty: 2", "dataset pantomime-try: difficulty: 2 is not a number"),
        ("test_videos: 16", "test_videos: 16, difficulty: hard", "difficulty: 'hard' is not a number from 0 to 1"),
        ("test_videos: 16", "test_videos: 16, vocabulary: third", "vocabulary 'third': take one of source, target"),
        ("test_videos: 16", "test_videos: 16, manifest: c0ffee", "manifest: 'c0ffee' is not a hash of 64 digits"),
        ("test_videos: 16", "test_videos: 16, manifest: 12", "manifest: 12 is not a hash of 64 digits"),
        ("epochs: 2}", "epochs: 2, epochs: 3}", "'epochs' is given twice"),
        ("runs:", "runs: [", "not YAML"),
        ("title: ", "title: 5 #", "title: 5 is no text"),
        ("datasets:", "datasets: [a]\nx:", "x: no such entry"),
        ("net: r3d", "name: ../up, net: r3d", "run 2: name: '../up_.*' cannot name a folder"),
        ("[0.01, 0.02]", "[]", r"run 2: lr: \[\] is an empty list"),
        ("train_videos: 16", "train_videos: many", "dataset pantomime-try: "),
        ("epochs: 2}", "epoch: 2}", "run 1: epoch: no such parameter; did you mean 'epochs'"),
    ],
)
def test_a_typo_is_named_with_its_file(tmp_path, old, new, message):
    with pytest.raises(PlanError, match=rf"try\.yaml: .*{message}"):
        plan_of(tmp_path, GOOD.replace(old, new, 1) if old != "net: r3d" else GOOD.replace(old, new))


@pytest.mark.parametrize("given", ["", " []", " {net: r3d}"])
def test_a_plan_without_runs_is_named(tmp_path, given):
    with pytest.raises(PlanError, match=r"try\.yaml: runs: .* is no list of runs"):
        plan_of(tmp_path, f"title: nothing\nruns:{given}\n")


def test_the_difficulty_of_a_dataset_says_how_many_videos_it_has_unless_the_plan_does(tmp_path):
    harder = GOOD.replace("train_videos: 16, test_videos: 16", "test_videos: 16, difficulty: 0.5")
    assert plan_of(tmp_path, harder).datasets["pantomime-try"]["train_videos"] == 1360
    both = GOOD.replace("train_videos: 16, test_videos: 16", "test_videos: 16, train_videos: 32, difficulty: 0.5")
    assert plan_of(tmp_path, both).datasets["pantomime-try"]["train_videos"] == 32


def test_a_plan_may_fix_the_videos_of_its_datasets(tmp_path):
    assert {run.manifest for run in plan_of(tmp_path, GOOD).runs} == {""}
    fixed = plan_of(tmp_path, GOOD.replace("test_videos: 16", f"test_videos: 16, manifest: {'ab' * 32}"))
    assert fixed.manifests == {"pantomime-try": "ab" * 32}
    assert {run.manifest for run in fixed.runs} == {"ab" * 32}
    assert fixed.datasets["pantomime-try"] == {"train_videos": 16, "test_videos": 16}


STARTS = """
title: "try: a start for each run"
defaults: {dataset: pantomime-try, seed: [0, 1]}
runs:
  - {experiment: conv_types, net: [r2d, r3d]}
  - experiment: cues
    net: [r2d, r3d]
    frame_order: [shuffled, frozen]
    init_from: run:try/conv_types/{net}-{depth}_{clip_length}f_seed{seed}
    epochs: 0
"""


def test_each_run_of_an_entry_starts_from_its_own_run(tmp_path):
    plan = plan_of(tmp_path, STARTS)
    tested = [run for run in plan.runs if run.spec.experiment == "cues"]
    assert len(tested) == 8
    for run in tested:
        assert run.spec.init_from == f"run:try/conv_types/{run.spec.net}-18_8f_seed{run.spec.seed}"
        start = plan.start_of(run)
        assert (start.spec.net, start.spec.seed) == (run.spec.net, run.spec.seed)


@pytest.mark.parametrize(
    ("braces", "message"), [("{nett}", "nett: no such parameter"), ("{}", "write {seed}"), ("{net", "write {seed}")]
)
def test_a_start_that_names_no_parameter_is_refused(tmp_path, braces, message):
    with pytest.raises(PlanError, match=rf"run 2: init_from: .*{message}"):
        plan_of(tmp_path, STARTS.replace("{net}", braces))


def test_an_unknown_plan_names_those_there_are(tmp_path):
    plan_of(tmp_path, GOOD)
    with pytest.raises(PlanError, match=r"tyr\.yaml: no such plan; in .* there are try\.yaml"):
        load_plan(tmp_path / "tyr.yaml")


@pytest.mark.parametrize("name", ["try copy.yaml", "try (1).yaml", "._try.yaml", ".#try.yaml"])
def test_what_a_copy_or_an_editor_leaves_beside_a_plan_is_no_plan(tmp_path, name):
    plan_of(tmp_path, GOOD)
    (tmp_path / name).write_text(GOOD)
    assert [path.name for path in plan_files(tmp_path)] == ["try.yaml"]
    with pytest.raises(PlanError, match=r"not the name of a plan; rename the file"):
        load_plan(tmp_path / name)


def test_a_run_folder_that_does_not_match_the_plan_is_refused_before_anything_runs(tmp_path):
    plan = plan_of(tmp_path, GOOD)
    run = plan.runs[2]
    run.spec.save(tmp_path / run.folder)
    check_here(plan, tmp_path)
    changed = plan_of(tmp_path, GOOD.replace("epochs: 2", "epochs: 3"))
    with pytest.raises(SpecError, match=r"r3d-18_8f_seed0: holds another run .epochs is 2, wanted 3"):
        check_here(changed, tmp_path)
    assert (tmp_path / run.folder / "spec.json").read_text() == run.spec.to_json()


def test_a_generated_dataset_of_other_videos_is_refused_before_anything_runs(tmp_path, data_root, tiny_pantomime):
    data_root.mkdir()
    (data_root / "pantomime-try").symlink_to(tiny_pantomime)
    with pytest.raises(PlanError, match=r"runs/try\.yaml: .*pantomime-try.*these are other videos"):
        check_here(plan_of(tmp_path, GOOD), tmp_path)


def test_a_plan_is_printed_with_what_it_takes_on_a_named_gpu(tmp_path, capsys):
    plan_of(tmp_path, GOOD)
    assert main([str(tmp_path / "try.yaml"), "--device", "A100"]) == 0
    printed = capsys.readouterr().out
    line = next(line for line in printed.splitlines() if "runs/try/conv_types/r2d-18_8f_seed0" in line)
    assert line.split()[1:4] == ["pantomime-try", "2", "2,000,000"]
    assert "of one A100 in all" in printed
    assert "3% to 16% of the bf16 peak of A100 SXM, not measured" in printed
    assert "disk: " in printed


def test_a_dataset_that_is_nowhere_is_said_not_to_be_counted(tmp_path, capsys):
    plan_of(tmp_path, GOOD.replace("defaults: {dataset: pantomime-try", "defaults: {dataset: folder-mine"))
    assert main([str(tmp_path / "try.yaml"), "--device", "A100"]) == 0
    assert "not counted: the tests on folder-mine, whose index is not here" in capsys.readouterr().out
