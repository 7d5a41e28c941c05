"""Results that were computed elsewhere: what is taken over, what is refused, and that nothing is left half done."""

import json
import shutil
from pathlib import Path

import pytest

from studylib.datasets.pantomime import manifest_of
from studylib.runs import results
from studylib.runs.plan import load_plan
from studylib.runs.results import BrokenRun, import_results, import_run
from tests.fake_runs import fake_predictions, write_fake_run, write_notebook

PLAN = """
title: "try: a test"
defaults: {dataset: folder-elsewhere, epochs: 3}
runs:
  - {experiment: conv_types, net: [r2d, r3d, mc3]}
"""


@pytest.fixture
def repository(tmp_path, data_root):
    """A repository with a plan and no runs."""
    root = tmp_path / "repository"
    (root / "runs").mkdir(parents=True)
    (root / "runs" / "try.yaml").write_text(PLAN)
    return root


@pytest.fixture
def elsewhere(tmp_path, repository):
    """What a cluster gave back: the three runs of the plan, complete."""
    for run in load_plan(repository / "runs" / "try.yaml").runs:
        folder = write_fake_run(tmp_path / "elsewhere" / run.folder, run.spec)
        (folder / "train.log").write_text("lines\n")
    return tmp_path / "elsewhere"


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def change_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_complete_runs_of_the_plan_are_recorded_without_their_logs(elsewhere, repository):
    assert [outcome.state for outcome in import_results(elsewhere, repository)] == ["imported"] * 3
    runs = load_plan(repository / "runs" / "try.yaml").runs
    assert [results.load_planned_run(run, repository)[0] for run in runs] == ["complete"] * 3
    wanted = {name: content for name, content in files(elsewhere).items() if not name.endswith("train.log")}
    assert files(repository) == wanted | {"runs/try.yaml": PLAN.encode()}
    assert [outcome.state for outcome in import_results(elsewhere, repository)] == ["there already"] * 3


def test_one_run_folder_is_imported_alone(elsewhere, repository):
    folder = elsewhere / "runs/try/conv_types/r3d-18_8f_seed0"
    assert [outcome.state for outcome in import_results(folder, repository)] == ["imported"]
    assert [path.name for path in (repository / "runs/try/conv_types").iterdir()] == [folder.name]


REFUSALS = {
    "a spec that is not the plan's": (lambda f: change_json(f / "spec.json", lr=0.5), "lr is 0.5, wanted 0.01"),
    "metrics of another spec": (lambda f: change_json(f / "metrics.json", spec_hash="0" * 64), "another spec"),
    "accuracies that the predictions do not give": (
        lambda f: change_json(f / "metrics.json", video_top5=12.5),
        "has video_top5 12.500",
    ),
    "a notebook with an error": (lambda f: write_notebook(f, error="the loss is nan"), "the loss is nan"),
    "a notebook under way": (lambda f: write_notebook(f, ended=False), "it is unfinished"),
    "no notebook": (lambda f: (f / "notebook.ipynb").unlink(), "no notebook.ipynb"),
    "no metrics": (lambda f: (f / "metrics.json").unlink(), "it is unfinished"),
    "a folder within": (lambda f: (f / "checkpoints").mkdir(), "checkpoints: no file of a run (spec.json, metrics"),
    "a folder in the place of a file": (lambda f: (f / "conv1.npz").mkdir(), "conv1.npz: a run folder has files alone"),
    "files that no run has": (
        lambda f: [(f / name).write_text("x") for name in ("slurm-7.out", "notes.txt")],
        "notes.txt, slurm-7.out: no file of a run (spec.json, metrics.json, history.csv, predictions.parquet, "
        "provenance.json, notebook.ipynb, conv1.npz, faults.csv); take it out",
    ),
    "the notebook of another run": (
        lambda f: shutil.copy(f.with_name("r3d-18_8f_seed0") / "notebook.ipynb", f),
        "notebook.ipynb was executed with net 'r3d', not 'r2d'",
    ),
    "a link to a file": (lambda f: (f / "conv1.npz").symlink_to("/etc/passwd"), "conv1.npz: a run folder has files"),
    "other videos": (
        lambda f: change_json(
            f / "provenance.json", dataset={"name": "folder-elsewhere", "manifest_hash": "cd" * 32, "videos": 48}
        ),
        "has the manifest cdcdcdcdcd, runs/try/conv_types/mc3-18_8f_seed0 has ababababab",
    ),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_a_run_that_is_not_what_it_should_be_is_refused_and_the_others_are_taken(elsewhere, repository, why):
    break_it, message = REFUSALS[why]
    break_it(elsewhere / "runs/try/conv_types/r2d-18_8f_seed0")  # the second by name
    outcomes = list(import_results(elsewhere, repository))
    assert [outcome.state for outcome in outcomes] == ["imported", "refused", "imported"]
    assert message in outcomes[1].reason
    assert str(repository) not in outcomes[1].reason
    assert sorted(path.name for path in (repository / "runs").iterdir()) == ["try", "try.yaml"]
    assert not (repository / "runs/try/conv_types/r2d-18_8f_seed0").exists()


def test_a_run_on_other_videos_than_those_here_is_refused(elsewhere, repository, tiny_pantomime, data_root):
    plan_file = repository / "runs" / "try.yaml"
    plan_file.write_text(PLAN.replace("folder-elsewhere", "pantomime-tiny"))
    shutil.rmtree(elsewhere)
    run = load_plan(plan_file).runs[0]
    write_fake_run(elsewhere / run.folder, run.spec)
    data_root.mkdir()
    (data_root / "pantomime-tiny").symlink_to(tiny_pantomime)
    with pytest.raises(BrokenRun, match="ababababab, the dataset pantomime-tiny here has"):
        import_run(elsewhere / run.folder, repository)


GENERATED = "datasets: {pantomime-x: {train_videos: 32, test_videos: 16}}\n"


def test_a_generated_dataset_may_have_the_manifest_that_its_settings_give_today(elsewhere, repository):
    """What a manifest's hash covers has changed since the first run was recorded; the videos have not."""
    plan_file = repository / "runs" / "try.yaml"
    plan_file.write_text(PLAN.replace("folder-elsewhere", "pantomime-x") + GENERATED)
    shutil.rmtree(elsewhere)
    plan = load_plan(plan_file)
    today = manifest_of("pantomime-x", plan.datasets["pantomime-x"])
    folders = [elsewhere / run.folder for run in plan.runs]
    for folder, run, manifest in zip(folders, plan.runs, ("ab" * 32, today, "cd" * 32), strict=True):
        write_fake_run(folder, run.spec)
        change_json(folder / "provenance.json", dataset={"name": "pantomime-x", "manifest_hash": manifest})
    assert import_run(folders[0], repository) == "imported"

    other = repository / "runs" / "other.yaml"
    other.write_text(PLAN.replace("folder-elsewhere", "pantomime-x") + GENERATED.replace("32", "48"))
    with pytest.raises(BrokenRun, match=f"manifest {today[:10]}, runs/try/conv_types/r2d-18_8f_seed0 has abababab"):
        import_run(folders[1], repository)
    other.unlink()
    assert import_run(folders[1], repository) == "imported"
    with pytest.raises(BrokenRun, match=f"cdcdcdcdcd, .* has ababababab, and the plan's settings give {today[:10]}"):
        import_run(folders[2], repository)


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("other.yaml", "title: no runs\n", "runs/other.yaml: the plan: runs is missing"),
        (
            "other.yaml",
            "title: x\nruns: []\ndatasets: {folder-elsewhere: {test_videos: 1}}",
            "runs/other.yaml: dataset",
        ),
        ("try/conv_types/mc3-18_8f_seed0/provenance.json", "[]", "mc3-18_8f_seed0: provenance.json holds no names"),
    ],
)
def test_what_cannot_be_compared_with_is_named(elsewhere, repository, path, content, message):
    import_run(elsewhere / "runs/try/conv_types/mc3-18_8f_seed0", repository)
    (repository / "runs" / path).write_text(content)
    outcome = next(iter(import_results(elsewhere / "runs/try/conv_types/r3d-18_8f_seed0", repository)))
    assert outcome.state == "refused"
    assert message in outcome.reason


def test_a_complete_run_is_never_replaced_by_another(elsewhere, repository):
    list(import_results(elsewhere, repository))
    before = files(repository)
    run = load_plan(repository / "runs" / "try.yaml").runs[0]
    shutil.rmtree(elsewhere / run.folder)
    write_fake_run(elsewhere / run.folder, run.spec, fake_predictions(clips=10, seed=99))
    with pytest.raises(BrokenRun, match=r"another run is recorded there, .*predictions\.parquet differ"):
        import_run(elsewhere / run.folder, repository)
    assert files(repository) == before


def test_hidden_files_are_not_looked_at_here_or_there(elsewhere, repository):
    folder = "runs/try/conv_types/r3d-18_8f_seed0"
    assert import_run(elsewhere / folder, repository) == "imported"
    for where in (elsewhere, repository):
        (where / folder / ".ipynb_checkpoints").mkdir()
        (where / folder / ".nfs0001").write_text(str(where))
    assert import_run(elsewhere / folder, repository) == "there already"


def test_an_unfinished_run_here_is_not_touched(elsewhere, repository):
    run = load_plan(repository / "runs" / "try.yaml").runs[0]
    run.spec.save(repository / run.folder)
    with pytest.raises(BrokenRun, match="holds an unfinished run; remove the folder"):
        import_run(elsewhere / run.folder, repository)
    assert [path.name for path in (repository / run.folder).iterdir()] == ["spec.json"]


def test_a_copy_that_breaks_off_leaves_nothing(elsewhere, repository, monkeypatch):
    def full(source, *_arguments, **_options):
        if Path(source).name == "predictions.parquet":
            raise OSError(28, "No space left on device")
        return shutil.copyfile(source, *_arguments)

    monkeypatch.setattr(shutil.copytree, "__defaults__", (False, None, full, False, False))
    before = files(repository)
    with pytest.raises(BrokenRun, match=r"cannot be copied: .*No space left"):
        import_run(elsewhere / "runs/try/conv_types/r3d-18_8f_seed0", repository)
    assert files(repository) == before
    assert [path.name for path in (repository / "runs").iterdir()] == ["try.yaml"]


def test_the_command_says_what_became_of_each_and_fails_if_one_was_refused(elsewhere, repository, capsys, monkeypatch):
    monkeypatch.setattr(results.import_results, "__defaults__", (repository,))
    assert results.main(["import", str(elsewhere)]) == 0
    (elsewhere / "runs/try/conv_types/strange").mkdir()
    assert results.main(["import", str(elsewhere)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert "imported: runs/try/conv_types/mc3-18_8f_seed0" in said
    assert said[-1].startswith("refused: runs/try/conv_types/strange: runs/try.yaml has no run strange of conv_types")
    assert results.main(["import", str(repository / "runs" / "try")]) == 1
    assert "holds no folder runs/PLAN/EXPERIMENT/NAME" in capsys.readouterr().err


def test_a_run_of_no_plan_is_refused(elsewhere, repository):
    (repository / "runs" / "try.yaml").rename(repository / "runs" / "other.yaml")
    outcomes = list(import_results(elsewhere, repository))
    assert {outcome.state for outcome in outcomes} == {"refused"}
    assert "no such plan; in" in outcomes[0].reason
