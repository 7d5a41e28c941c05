"""All recorded runs as one tidy table, to take away."""

import pandas as pd

# Column -> what it is, in the order of the table; those of no other source are columns of `results.load_plan_runs`.
COLUMNS = {
    "plan": "file in runs/ that plans the run: lips is real video, mini synthetic",
    "experiment": "notebook in book/experiments/",
    "run": "name of the run's folder, below runs/PLAN/EXPERIMENT/",
    "net": "network, by the paper's name",
    "depth": "layers",
    "width": "filters of conv1 (the paper: 64)",
    "dataset": "indexed dataset that it was trained and tested on",
    "split": "official split; on lips the fold of speakers",
    "seed": "of initialisation, order and augmentation",
    "modality": "rgb or flow (optical flow)",
    "clip_length": "frames of a clip",
    "frame_step": "frames of the video from one frame of a clip to the next",
    "frame_order": "order of a test clip's frames",
    "resolution": "pixels, side of the crop",
    "init_from": "first weights; empty: from scratch",
    "epochs": "0: only tested",
    "clips_per_epoch": "training clips",
    "batch_size": "clips a step and process",
    "lr": "learning rate",
    "lr_schedule": "step or cosine",
    "warmup_epochs": "epochs over which the rate rises",
    "weight_decay": "on convolution, FC and BN scale",
    "flip": "half of the training clips are mirrored",
    "standardise": "by the dataset's mean or each clip's own",
    "test_clips": "clips of a test video",
    "test_sampling": "where they lie: random, uniform, dense",
    "videos": "test videos",
    "clip_top1": "percent of test clips named right",
    "video_top1": "percent of test videos named right by their clips' mean score",
    "low": "lower end of video_top1's 95% interval over videos (Wilson)",
    "high": "upper end",
    "video_top5": "percent of test videos whose class is among the five best",
    "train_error": "percent, last epoch, on training clips while they are trained on",
    "test_error": "percent, last epoch, on one clip a test video",
    "params": "trained weights and biases",
    "flops": "multiply-adds of a clip, convolutions and FC",
    "seconds": "of training and tests",
    "clips_per_second": "in training",
    "peak_memory": "bytes",
    "hardware": "device, threads, precision",
    "torch": "its version",
    "commit": "of the code that made the run",
    "source_clean": "whether the sources were the commit's",
    "started": "UTC",
    "spec_hash": "of all settings",
}


def recorded(runs: pd.DataFrame) -> pd.DataFrame:
    """A row a complete run, with `COLUMNS`.

    Args:
        runs: `results.table()`.
    """
    done = runs[runs["state"] == "complete"]
    made = [run.provenance for run in done["result"]]
    versions = [provenance.get("versions", {}).get("torch", "") for provenance in made]
    clean = [provenance.get("source_clean") for provenance in made]
    return done.assign(torch=versions, source_clean=clean)[list(COLUMNS)]
