"""The test at the end of a run by its spec's protocol (paper, section 4.1), and the results it writes."""

from studylib.complexity import count_by_name
from studylib.evaluation import clip_top1, predict, video_top_k, write_predictions
from studylib.filters import write_conv1
from studylib.progress import Progress
from studylib.provenance import now, peak_memory
from studylib.run_files import write_json
from studylib.session import Session
from studylib.spec import recorded_hash


def test(session: Session, progress: Progress) -> None:
    """Test the net; write predictions, filters, provenance and, last, metrics. All processes call it together.

    Raises:
        Stopped: a signal came; called again, the test starts anew.
        TooManyFaults: of the test videos.
    """
    spec, folder = session.spec, session.run_folder
    session.say("testing")
    predictions = predict(session)
    if predictions is None:  # the leading process has all of them
        return
    complexity = count_by_name(
        spec.net,
        spec.depth,
        len(session.index.classes),
        spec.clip_length,
        spec.in_channels,
        spec.width,
        spec.resolution,
    )
    last = progress.history[-1] if spec.epochs else {"train_error": None, "test_error": None}
    session.faults.write(folder)
    write_predictions(folder / "predictions.parquet", predictions)
    write_conv1(folder, session.net)
    ended = {"ended": now(), "faults": session.faults.counts()}
    write_json(folder / "provenance.json", progress.provenance | ended)
    metrics = {
        "spec_hash": recorded_hash(folder),
        "clip_top1": clip_top1(predictions),
        "video_top1": video_top_k(predictions, 1),
        "video_top5": video_top_k(predictions, 5),
        "train_error": last["train_error"],
        "test_error": last["test_error"],
        "params": complexity.params,
        "flops": complexity.flops,
        "seconds": progress.seconds,
        "clips_per_second": spec.epochs * spec.clips_per_epoch / progress.seconds if spec.epochs else None,
        "peak_memory": peak_memory(session.device),
    }
    write_json(folder / "metrics.json", metrics)  # last: its presence says that the rest is there
    print(f"clip@1 {metrics['clip_top1']:.1f}  video@1 {metrics['video_top1']:.1f}", flush=True)


test.__test__ = False
