"""Seconds of a training step, and which share of the machine's matrix product in the same precision it reaches.

    python -m tests.bench training_step [--rounds 9] [--geometry paper mini] [--amp bf16 fp32]

Six of the twelve nets, exactly the trainer's step, beside torchvision's own r3d_18 and mc3_18 as its reference script
trains them: fp32, default memory format, plain SGD with momentum. All of them, and square matrix products of several
sizes, take turns in one process. It gives freed memory back, as torchvision's script does; the trainer keeps it, which
is a gain of its own (`options`) and would serve the peer as well.

Then, for steps in bf16: loss and gradients of our step against torchvision's, see `same_gradients`.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from studylib.nets.precision import autocast
from studylib.training.loading import Batch
from tests.bench.multiply_adds import of_step
from tests.bench.same_gradients import CPU, LARGEST_RATIO, compare, torchvisions
from tests.bench.steps import (
    GEOMETRIES,
    NETS,
    Geometry,
    Step,
    choose_without_kept_memory,
    new_net,
    precision_of,
    random_batch,
    ratios,
    spec_of,
    step_of,
    synchronise,
    take_turns,
    threads,
    times,
)

PEERS = {"torchvision r3d_18": "r3d", "torchvision mc3_18": "mc3"}  # peer -> which of ours computes the same
SIZES = (1024, 2048, 3072, 4096)  # of the matrix products; on a GPU larger ones too

Tables = dict[str, list[dict[str, Any]]]


def main(arguments: Sequence[str] = ()) -> Tables:
    """Print the tables and return them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--geometry", nargs="+", choices=GEOMETRIES, default=list(GEOMETRIES))
    kinds = ("bf16", "fp32")
    parser.add_argument("--amp", nargs="+", choices=kinds, default=kinds, help="bf16: only where it is right")
    options = parser.parse_args(arguments)
    device = choose_without_kept_memory()
    tables: Tables = {}
    for name in options.geometry:
        geometry = GEOMETRIES[name]
        with threads(geometry.threads):
            for amp in options.amp:
                found = measure(name, geometry, device, options.rounds, amp)
                tables |= found if amp == "bf16" else {f"{key}_fp32": table for key, table in found.items()}
            # torchvision's nets have this width alone
            if device.type == "cpu" and name == "paper" and "bf16" in options.amp:
                tables["same_gradients"] = likeness(geometry)
    return tables


def measure(name: str, geometry: Geometry, device: torch.device, rounds: int, amp: str = "bf16") -> Tables:
    """The rows of the nets and of the matrix products."""
    on_gpu = device.type == "cuda"
    sizes = (*SIZES, 8192, 16384) if on_gpu else SIZES
    machine = torch.cuda.get_device_name(device) if on_gpu else "cpu"
    batch, specs = random_batch(geometry), {net: spec_of(net, geometry, amp=amp) for net in NETS}
    nets = {net: new_net(spec, geometry, device) for net, spec in specs.items()}
    precisions = {net: precision_of(nets[net], spec, device) for net, spec in specs.items()}
    steps = {net: step_of(nets[net], spec, batch, device, precisions[net]) for net, spec in specs.items()}
    peers = PEERS if name == "paper" else {}
    for peer in peers:
        steps[peer] = times(1, theirs(torchvisions(peer.split()[1], geometry.classes), batch, device), device)
    ran = sorted({"fp32", *precisions.values()})  # the peers in fp32
    kinds = [(kind, size) for kind in ran for size in sizes]
    products = {f"{kind} product {size}": product(kind, size, device) for kind, size in kinds}
    seconds = take_turns(steps | products, rounds)

    rates = {(kind, size): size**3 / median(seconds[f"{kind} product {size}"]) for kind, size in kinds}
    peaks = {kind: max(rates[kind, size] for size in sizes) for kind in ran}
    print(f"{geometry}, batch {geometry.batch_size}, width {geometry.width}, {torch.get_num_threads()} threads")
    print("matrix products, GMAC/s: " + ", ".join(f"{kind} {n}: {r / 1e9:.0f}" for (kind, n), r in rates.items()))
    print("net                    s a step  clips/s  GMAC/s  share  needed  times torchvision's")
    rows = []
    for net in steps:
        spent, ours = median(seconds[net]), peers.get(net, net)
        counted, needed = (geometry.batch_size * macs for macs in of_step(specs[ours], geometry.classes))
        peer = next((peer for peer, same in peers.items() if same == net), None)
        precision = precisions.get(net, "fp32")
        row = {"net": net, "device": machine, "precision": precision}
        row |= {"threads": torch.get_num_threads(), "clip_length": geometry.clip_length}
        row |= {"resolution": geometry.resolution, "width": geometry.width, "batch_size": geometry.batch_size}
        row |= {"step_s": spent, "clips_per_second": geometry.batch_size / spent}
        row |= {"counted_gmac_per_second": counted / spent / 1e9, "counted_share": counted / spent / peaks[precision]}
        row |= {"needed_gmac_per_second": needed / spent / 1e9, "needed_share": needed / spent / peaks[precision]}
        row |= {"times_torchvision": median(ratios(seconds[net], seconds[peer])) if peer else None, "rounds": rounds}
        told = f"{row['times_torchvision']:.2f}" if peer else ""
        print(
            f"{net:20} {spent:10.3f} {row['clips_per_second']:8.1f} {row['counted_gmac_per_second']:7.1f} "
            f"{row['counted_share']:6.0%} {row['needed_share']:7.0%}  {told}",
            flush=True,
        )
        rows.append(row)
    products = [{"precision": k, "size": n, "product_gmac_per_second": r / 1e9} for (k, n), r in rates.items()]
    return {name: rows, f"{name}_products": products}


def theirs(
    net: nn.Module,
    batch: Batch,
    device: torch.device,
    precision: str = "fp32",
    memory_format: torch.memory_format = torch.contiguous_format,
) -> Step:
    """One training step of a net of torchvision's, the clips turned and normalised as ours; not waited for."""
    net = net.to(device, memory_format=memory_format).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        clips = batch.clips.to(device, non_blocking=True).permute(0, 4, 1, 2, 3)
        x = (clips.contiguous(memory_format=memory_format).float() / 255 - 0.4) / 0.22
        labels = batch.labels.to(device, non_blocking=True)
        with autocast(device, precision):
            loss = F.cross_entropy(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def product(precision: str, size: int, device: torch.device) -> Callable[[], None]:
    """The product of two square matrices."""
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))

    def step() -> None:
        a @ b
        synchronise(device)

    return step


def likeness(
    geometry: Geometry, peers: Mapping[str, str] = PEERS, precision: str = "bf16", device: torch.device = CPU
) -> list[dict[str, Any]]:
    """A row a net: our loss and gradients against torchvision's."""
    rows, batch = [], random_batch(geometry)
    x = (batch.clips.permute(0, 4, 1, 2, 3).contiguous().float() / 255 - 0.4) / 0.22
    for peer, net in peers.items():
        name = peer.split()[1]
        found = compare(net, x, batch.labels, geometry.classes, geometry.width, name, precision, device)
        errors, ratio = sorted(found.errors.values()), sorted(found.ratios.values())
        row = {"net": net, "precision": precision, "loss": found.loss, "loss_error": found.loss_error}
        row |= {"gradient_error": median(errors), "rounding_error": median(found.rounding.values())}
        row |= {
            "ratio_to_rounding": median(ratio),
            "largest_ratio": ratio[-1],
            "bound": LARGEST_RATIO if precision == "bf16" else None,
        }
        print(
            f"{net} in {precision} against torchvision's: loss off by {found.loss_error:.2g}, gradients by "
            f"{median(errors):.2g}, rounded clips move them by {row['rounding_error']:.2g}; ratio by layer "
            f"{ratio[0]:.2f} to {ratio[-1]:.2f}",
            flush=True,
        )
        rows.append(row)
    return rows
