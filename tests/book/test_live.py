"""What is seen of a run while it trains: all lines in a terminal, a growing curve and few lines in a notebook."""

import nbformat
import papermill
import pytest

from studylib.book import experiment
from studylib.training.spec import RunSpec
from tests.fake_runs import write_fake_run

SPEC = RunSpec(experiment="conv_types", net="r3d", dataset="pantomime-quick", epochs=3)


def execute(tmp_path, code):
    """Outputs of a cell that runs `code` in a notebook, as papermill keeps them."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(tmp_path / "in.ipynb", out, progress_bar=False)
    return nbformat.read(out, as_version=4).cells[0].outputs


def printed(outputs):
    return "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stdout")


def pictures(outputs):
    return [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]


@pytest.fixture
def displayed(monkeypatch):
    """What is displayed, a list that grows; without IPython."""
    contents = []

    def display(content, handle):
        contents.append(content)
        return handle or object()

    monkeypatch.setattr(experiment.Progress, "_display", staticmethod(display))
    return contents


# A training of 300 epochs that says 20 lines within each; its curve is drawn at the first one and at the end.
TRAINING = """
import shutil
from pathlib import Path
from studylib.book import experiment
from studylib.training.run_files import write_history
folder, rows = Path({folder!r}), []
with experiment.shown(folder) as show:
    show("r3d on a machine\\n")
    for epoch in range(1, 301):
        for step in range(1, 21):
            show(f"epoch {{epoch}}/300 step {{step}}/20  loss 4.211  error 83.1  lr 0.01  512 clips/s  3.4 h left\\n")
        rows.append(dict(epoch=epoch, step=20 * epoch, lr=0.1, train_loss=1, test_loss=1, seconds=1, data_wait=0,
                         clips_per_second=5, train_error=90 / epoch, test_error=95 / epoch ** 0.5))
        write_history(folder, rows)
        show(f"epoch {{epoch}}/300  train loss 1.0  train error {{90 / epoch:.1f}}  3.4 h left\\n")
    show("testing\\n")
"""


def test_an_executed_notebook_keeps_one_picture_and_the_lines_of_epochs(tmp_path):
    SPEC.save(tmp_path / "run")
    outputs = execute(tmp_path, TRAINING.format(folder=str(tmp_path / "run")))
    assert len(pictures(outputs)) == 1
    lines = printed(outputs).splitlines()
    assert lines[0] == "r3d on a machine"
    assert [line.split()[1] for line in lines[1:-1]] == [f"{epoch}/300" for epoch in range(1, 301)]
    assert lines[-1] == "testing"
    assert not any(" step " in line for line in lines)
    texts = [o.data["text/plain"] for o in outputs if o.output_type == "display_data" and "image/png" not in o.data]
    assert texts == ["All lines are in train.log."]
    assert (tmp_path / "out.ipynb").stat().st_size < 200_000


def test_a_finished_run_shows_its_curve_again_whatever_draws_the_figures_of_scripts(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    folder = write_fake_run(tmp_path / "run", SPEC)
    code = "from pathlib import Path\nfrom studylib.book import experiment\n"
    code += f"with experiment.shown(Path({str(folder)!r})) as show:\n    show('finished already\\n')"
    outputs = execute(tmp_path, code)
    assert printed(outputs) == "finished already\n"
    (picture,) = pictures(outputs)
    assert len(picture) < 15_000  # hundreds of recorded notebooks have one


def test_a_terminal_sees_every_line(tmp_path, capsys):
    lines = ["epoch 1/3 step 1/2  loss 4.2\n", "epoch 1/3 step 2/2  loss 4.1\n", "epoch 1/3  train loss 4.1\n"]
    with experiment.shown(tmp_path) as show:
        for line in lines:
            show(line)
    assert capsys.readouterr().out == "".join(lines)


def test_a_run_that_goes_on_shows_its_curve_before_its_next_epoch_ends(tmp_path, displayed):
    progress = experiment.Progress(write_fake_run(tmp_path / "run", SPEC))
    for step in (1, 2):
        progress.show(f"epoch 4/9 step {step}/9  loss 4\n")
    assert [type(content).__name__ for content in displayed] == ["str", "Figure", "str"]


def test_a_picture_that_cannot_be_drawn_stops_no_run_and_is_told_once(tmp_path, displayed, capsys):
    SPEC.save(tmp_path)
    (tmp_path / "history.csv").write_text("epoch,train_error\n1,90\n")
    progress = experiment.Progress(tmp_path)
    for epoch in (1, 2):
        progress.show(f"epoch {epoch}/3  train loss 4\n")
    progress.end()
    said = capsys.readouterr().out
    assert said.count("the curve is not drawn: KeyError: ") == 1
    assert said.count("train loss") == 2


def test_the_curve_is_that_of_the_history(tmp_path):
    assert experiment.curve(tmp_path) is None
    training, test = experiment.curve(write_fake_run(tmp_path / "run", SPEC)).axes
    assert list(training.lines[0].get_xdata()) == list(test.lines[0].get_xdata()) == [1, 2, 3]
