"""Complete run folders without training: random scores, everything else as the trainer and papermill write it."""

import json
from pathlib import Path

import nbformat
import numpy as np

from studylib.datasets.pantomime.actions import SOURCE
from studylib.training.evaluation import Predictions, clip_top1, video_top_k, write_predictions
from studylib.training.run_files import write_history, write_json
from studylib.training.spec import RunSpec

PANTOMIME = tuple(action.name for action in SOURCE)


def fake_predictions(
    classes: tuple[str, ...] = PANTOMIME, videos_a_class: int = 3, clips: int = 4, seed: int = 0, skill: float = 2.0
) -> Predictions:
    """Random softmax scores; the right class is ahead by `skill` on average."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(len(classes)), videos_a_class)
    names = [f"videos/test/{classes[label]}_{i:05d}.mp4" for i, label in enumerate(labels)]
    logits = rng.normal(size=(len(labels), clips, len(classes)))
    logits += rng.normal(size=(len(labels), 1, len(classes))) + skill * np.eye(len(classes))[labels][:, None]
    scores = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return Predictions(names, labels, list(scores.astype(np.float16)), classes)


def write_fake_run(
    folder: Path, spec: RunSpec, predictions: Predictions | None = None, manifest: str = "ab" * 32
) -> Path:
    """A complete run folder of `spec` at `folder`, which is made; valid where `predictions` have its clips."""
    predictions = predictions or fake_predictions(clips=spec.test_clips, seed=spec.seed)
    spec.save(folder)
    rng = np.random.default_rng(spec.seed)
    fall = np.exp(-np.arange(spec.epochs) / max(2, spec.epochs / 3))
    rows = [
        {
            "epoch": i + 1,
            "step": 40 * (i + 1),
            "lr": spec.lr,
            "train_loss": 0.4 + 2.3 * f,
            "train_error": 15 + 75 * f + rng.normal(),
            "test_loss": 0.6 + 2.2 * f,
            "test_error": 25 + 68 * f + 2 * rng.normal(),
            "clips_per_second": 55.0,
            "seconds": 12.0,
            "data_wait": 0.01,
        }
        for i, f in enumerate(fall)
    ]
    write_history(folder, rows)
    write_predictions(folder / "predictions.parquet", predictions)
    provenance = {
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "source_clean": True,
        "versions": {"python": "3.11.2", "torch": "2.14.1"},
        "device": "cpu",
        "cpu": "Imagined CPU (x86_64, AVX512)",
        "threads": 1,
        "dataset": {"name": spec.dataset, "manifest_hash": manifest, "videos": len(predictions.labels)},
        "precision": "fp32",
        "precision_reason": "fp32 as asked",
        "started": "2020-01-02T03:04:05+00:00",
        "ended": "2020-01-02T03:06:05+00:00",
    }
    write_json(folder / "provenance.json", provenance)
    write_notebook(folder)
    metrics = {
        "spec_hash": spec.hash,
        "clip_top1": clip_top1(predictions),
        "video_top1": video_top_k(predictions, 1),
        "video_top5": video_top_k(predictions, 5),
        "train_error": rows[-1]["train_error"] if rows else None,
        "test_error": rows[-1]["test_error"] if rows else None,
        "params": 2_090_000,
        "flops": 330_000_000 + 90_000_000 * (len(spec.net) % 5),
        "seconds": 12.0 * spec.epochs,
        "clips_per_second": 55.0 if rows else None,
        "peak_memory": 2**30,
    }
    write_json(folder / "metrics.json", metrics)
    return folder


def write_notebook(folder: Path, error: str | None = None, ended: bool = True, **parameters: object) -> None:
    """An executed notebook as papermill leaves it: whole, failed with `error`, or (`ended` false) under way.

    Its parameters are those of the folder's spec, where there is one, but for the given ones.
    """
    spec = json.loads((folder / "spec.json").read_text()) if (folder / "spec.json").exists() else {}
    progress = "".join(f"epoch {i + 1}/40  train error 50.0\n" for i in range(40))
    outputs = [nbformat.v4.new_output("stream", name="stdout", text=progress)]
    outputs += [nbformat.v4.new_output("stream", name="stderr", text="a remark on stderr\n")]
    if error:
        outputs += [nbformat.v4.new_output("error", ename="RunFailed", evalue=error, traceback=[f"RunFailed: {error}"])]
    injected = nbformat.v4.new_code_cell("net = 'r3d'", metadata={"tags": ["injected-parameters"]})
    cells = [
        nbformat.v4.new_markdown_cell("# Types of convolution\n\n```bash\n# a comment\n```\n\n## Train and test"),
        injected,
        nbformat.v4.new_code_cell("launch(run_folder)", outputs=outputs),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["papermill"] = {
        "exception": True if error else None,
        "end_time": "2020-01-02T03:06:06" if ended else None,
        "output_path": "/somewhere/else/notebook.ipynb",
        "parameters": spec | {"run_folder": Path("runs", *folder.parts[-3:]).as_posix()} | parameters,
    }
    (folder / "notebook.ipynb").write_text(json.dumps(notebook, indent=1))
