"""Clips/s of a training step, ours beside torchvision's own network narrowed alike, interleaved in one process.

`python -m tests.bench training_step`; the peer trains as torchvision's reference script does on a CPU: fp32, default
memory format, plain SGD with momentum.
"""

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from studylib.epoch import train_step
from studylib.loading import Batch
from studylib.nets import build_net
from studylib.optimizer import make_optimizer
from studylib.precision import choose_precision
from studylib.spec import RunSpec

CLIP_LENGTH, CROP, WIDTH, BATCH, CLASSES = 8, 56, 16, 32, 16
ROUNDS = 9
CPU = torch.device("cpu")
WINDOWS = torch.zeros(BATCH, 3, dtype=torch.int64)


def ours(name: str) -> Callable[[torch.Tensor, torch.Tensor], None]:
    """One training step of our network, in the way `studylib.training` does it."""
    spec = RunSpec(experiment="bench", net=name, dataset="pantomime", width=WIDTH, resolution=CROP, batch_size=BATCH)
    net = build_net(name, num_classes=CLASSES, clip_length=CLIP_LENGTH, width=WIDTH)
    net = net.to(memory_format=torch.channels_last_3d)
    precision, reason = choose_precision("bf16", net, (3, CLIP_LENGTH, CROP, CROP), BATCH, CPU)
    print(f"{name}: {reason}")
    optimizer = make_optimizer(net, spec)

    def step(clips: torch.Tensor, labels: torch.Tensor) -> None:
        train_step(net, Batch(clips, WINDOWS, labels, labels[:, None], []), optimizer, spec, precision, CPU)

    return step


def torchvisions() -> Callable[[torch.Tensor, torch.Tensor], None]:
    """One training step of torchvision's r3d_18 with a quarter of its channels."""
    net = torchvision.models.video.r3d_18(num_classes=CLASSES)
    narrow(net, 64 // WIDTH)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)

    def step(clips: torch.Tensor, labels: torch.Tensor) -> None:
        x = clips.permute(0, 4, 1, 2, 3).contiguous().float() / 255
        loss = F.cross_entropy(net((x - 0.4) / 0.22), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def narrow(net: nn.Module, by: int) -> None:
    """Replace every layer of a torchvision video network by one with `by` times fewer channels."""
    for parent in list(net.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Conv3d):
                n_in = layer.in_channels if layer.in_channels == 3 else layer.in_channels // by
                new = nn.Conv3d(
                    n_in, layer.out_channels // by, layer.kernel_size, layer.stride, layer.padding, bias=False
                )
            elif isinstance(layer, nn.BatchNorm3d):
                new = nn.BatchNorm3d(layer.num_features // by)
            elif isinstance(layer, nn.Linear):
                new = nn.Linear(layer.in_features // by, layer.out_features)
            else:
                continue
            setattr(parent, name, new)


def main(_arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    steps = {"ours r3d": ours("r3d"), "ours r2plus1d": ours("r2plus1d"), "torchvision r3d_18 narrowed": torchvisions()}
    clips = torch.randint(0, 256, (BATCH, CLIP_LENGTH, CROP, CROP, 3), dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (BATCH,))
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for round_number in range(ROUNDS + 2):
        for name, step in steps.items():
            begun = time.perf_counter()
            step(clips, labels)
            if round_number >= 2:  # the first ones compile and warm up
                seconds[name].append(time.perf_counter() - begun)
    peer = median(seconds["torchvision r3d_18 narrowed"])
    print(
        f"{torch.get_num_threads()} threads, {CLIP_LENGTH}x{CROP}x{CROP}, width {WIDTH}, batch {BATCH}, {ROUNDS} rounds"
    )
    for name, times in seconds.items():
        print(f"{name:30} {BATCH / median(times):7.1f} clips/s   {peer / median(times):5.2f} x torchvision r3d_18")


if __name__ == "__main__":
    main()
