"""The test at the end of a run by its spec's protocol (paper, section 4.1), and the results it writes."""

import time

import numpy as np
import torch

from studylib.nets.complexity import count_by_name
from studylib.nets.precision import autocast
from studylib.training.evaluation import Predictions, clip_top1, video_top_k, write_predictions
from studylib.training.filters import write_conv1
from studylib.training.inputs import to_input
from studylib.training.loading import video_loader
from studylib.training.progress import Progress
from studylib.training.provenance import now, peak_memory
from studylib.training.run_files import write_json
from studylib.training.session import SECONDS_BETWEEN_LINES, Session
from studylib.training.spec import recorded_hash
from studylib.training.stopping import Stopped, asked
from studylib.video.clips import centre_window


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


@torch.no_grad()
def predict(session: Session) -> Predictions | None:
    """Test the session's net on every video of its test part, each decoded once; those that cannot be read are added
    to its faults. Several processes share the videos; the leading one gets the predictions, the others None.

    Raises:
        Stopped: a signal came.
        TooManyFaults: more of the videos are broken than a test may go on with.
    """
    spec, part, processes, net = session.spec, session.test_part, session.processes, session.net
    processes.spread_statistics(net)
    net.eval()
    own: list[tuple[int, np.ndarray]] = []
    window = torch.tensor((*centre_window(part.size, spec.resolution), 0))
    spoken = time.perf_counter()
    for number, (i, clips, fault) in enumerate(video_loader(part, spec, processes)):
        # every process has as many videos as this
        if number < len(part.rows) // processes.count and (stop := processes.largest([asked()])[0]):
            raise Stopped(stop, "in the test at the end")
        if fault is not None:
            session.faults.add(part.name, [fault], len(part.rows))
            continue
        outputs = []
        for batch in clips.split(spec.batch_size):
            x = to_input(batch, window.expand(len(batch), 3), spec, session.device)
            with autocast(session.device, session.precision):
                outputs.append(net(x))
        if time.perf_counter() - spoken > SECONDS_BETWEEN_LINES:
            spoken = time.perf_counter()
            session.say(f"testing {processes.count * (number + 1)}/{len(part.rows)}")
        own.append((i, torch.cat(outputs).float().softmax(1).cpu().numpy().astype(np.float16)))
    gathered = processes.gather((own, session.faults.rows()))
    if not processes.leads:
        return None
    session.faults.replace(row for _, rows in gathered for row in rows)
    session.faults.require_few(part.name, len(part.rows))
    scores = dict(pair for pairs, _ in gathered for pair in pairs)
    tested = sorted(scores)
    label_sets = [part.label_set(i) for i in tested] if part.has_label_sets else None
    paths = part.paths
    in_order = [scores[i] for i in tested]
    speakers = part.speakers
    return Predictions(
        [paths[i] for i in tested],
        part.labels[tested],
        in_order,
        part.index.classes,
        label_sets,
        speakers and [speakers[i] for i in tested],
    )
