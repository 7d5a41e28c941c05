"""The training step as a CUDA graph: with STUDY_CUDA_GRAPH=1, on one GPU. Off by default: no GPU has run it yet.

A step is hundreds of kernels. Where they are small, launching them one by one takes longer than computing them; a graph
launches them all at once. It repeats what was launched while it was captured, on the same memory: a batch is copied to
where the captured one lay, and the learning rate is a tensor that is filled anew before each step. Weights, momentum
and BN statistics lie where they always do, so that tests and checkpoints see nothing of it.

The first steps are taken without a graph: they choose the kernels. The graph's losses are then compared with those of
`epoch.train_step` over a few steps, whose effect is undone. An epoch's last, smaller batch goes without a graph.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from studylib.training import epoch
from studylib.training.devices import Processes
from studylib.training.epoch import Session
from studylib.training.loading import Batch
from studylib.training.spec import RunSpec
from studylib.video.machine import switched_on

WARM_UP = 3  # steps before the capture
# Of a batch; by how many places they differ in steps that are compared.
INPUTS = {"clips": 1, "windows": 2, "labels": 3}
RATES = (1.0, 0.5, 0.25)  # of the steps that are compared, in shares of the run's learning rate
# The largest relative difference of their losses; where the same steps twice without a graph differ, five times that.
TOLERANCE = 1e-3

Step = Callable[..., tuple[Tensor, Tensor]]  # `epoch.train_step`, or what takes its place


def step_of(session: Session) -> Step:
    """`epoch.train_step`, or that as a graph where it is asked for and can be had; says why where it cannot."""
    if not switched_on("STUDY_CUDA_GRAPH"):
        return epoch.train_step
    if reason := refusal(session.net, session.device, session.processes):
        session.say(f"no CUDA graph: {reason}")
        return epoch.train_step
    return GraphedStep(epoch.train_step, session.say)


def refusal(net: nn.Module, device: torch.device, processes: Processes) -> str:
    """Why a net's step cannot be a graph; "" where it can."""
    if device.type != "cuda":
        return f"the run is on a {device.type.upper()}, only a GPU has them"
    if processes.count > 1:
        return "of several processes torch captures a step only if it does not watch for lost ones"
    if any(isinstance(layer, nn.Dropout) for layer in net.modules()):
        return "dropout is seeded at each step, and a graph would keep the first step's"
    return ""


class GraphedStep:
    """Called like `epoch.train_step`, always on one net and optimiser; losses and scores hold until the next call.

    What cannot be captured, or gives other losses, goes on without a graph, and is told why.
    """

    def __init__(self, step: Step, say: Callable[[str], None]) -> None:
        self.step, self.say = step, say
        self.warm_up, self.given_up = WARM_UP, False
        self.replay: Callable[[], tuple[Tensor, Tensor]] | None = None

    def __call__(
        self, net: nn.Module, batch: Batch, optimizer: torch.optim.SGD, spec: RunSpec, *rest: Any
    ) -> tuple[Tensor, Tensor]:
        """One step on a batch, see `epoch.train_step`."""

        def plain(batch: Batch) -> tuple[Tensor, Tensor]:
            return self.step(net, batch, optimizer, spec, *rest)

        if self.given_up or len(batch.labels) < spec.batch_size:
            return plain(batch)
        if self.warm_up:
            self.warm_up -= 1
            return plain(batch)
        if self.replay is None:
            self._capture(net, batch, optimizer, spec.lr, plain)
            return self(net, batch, optimizer, spec, *rest)
        return self._repeat(batch, optimizer)

    def _repeat(self, batch: Batch, optimizer: torch.optim.SGD) -> tuple[Tensor, Tensor]:
        """The captured step on another batch, at the optimiser's present learning rate."""
        for name in INPUTS:
            getattr(self.batch, name).copy_(getattr(batch, name), non_blocking=True)
        self.lr.fill_(optimizer.param_groups[0]["lr"])
        return self.replay()

    def _capture(
        self, net: nn.Module, batch: Batch, optimizer: torch.optim.SGD, lr: float, plain: Callable[[Batch], Any]
    ) -> None:
        """Capture the step and compare it, or give it up; weights, statistics and momentum are as before."""
        device = next(net.parameters()).device
        inputs = {name: getattr(batch, name).to(device, copy=True) for name in INPUTS}
        self.batch, self.lr = batch._replace(**inputs), torch.zeros((), device=device)
        state = [*net.parameters(), *net.buffers(), *(own["momentum_buffer"] for own in optimizer.state.values())]
        kept = [tensor.detach().clone() for tensor in state]
        rates = [group["lr"] for group in optimizer.param_groups]

        def restore() -> None:
            with torch.no_grad():
                for tensor, before in zip(state, kept, strict=True):
                    tensor.copy_(before)
            set_rates(optimizer, rates)

        def static() -> tuple[Tensor, Tensor]:
            before = [group["lr"] for group in optimizer.param_groups]
            set_rates(optimizer, [self.lr] * len(before))
            try:
                return plain(self.batch)
            finally:
                set_rates(optimizer, before)

        def losses(step: Callable[[Batch], tuple[Tensor, Tensor]]) -> Tensor:
            """Of steps on other batches at other rates, (steps, B)."""
            taken = []
            for number, rate in enumerate(RATES):
                moved = {name: getattr(batch, name).roll(shift * number, 0) for name, shift in INPUTS.items()}
                set_rates(optimizer, [rate * lr] * len(rates))
                taken.append(step(batch._replace(**moved))[0].double().cpu())
            restore()
            return torch.stack(taken)

        try:
            without, again = losses(plain), losses(plain)
            self.replay = captured(static, device)
            restore()
            difference = apart(losses(lambda other: self._repeat(other, optimizer)), without)
            bound = max(TOLERANCE, 5 * apart(again, without))
            reason = "" if difference <= bound else f"its losses are {difference:.2g} off, {bound:.2g} is rounding"
        except RuntimeError as error:  # torch's, or CUDA's
            restore()
            reason = f"torch cannot capture the step ({str(error).splitlines()[0]})"
        if reason:
            self.given_up, self.replay = True, None
            self.say(f"no CUDA graph: {reason}")
        else:
            self.say(f"the step is a CUDA graph, whose losses are {difference:.2g} off those without it")


def captured(step: Callable[[], tuple[Tensor, Tensor]], device: torch.device) -> Callable[[], tuple[Tensor, Tensor]]:
    """A function that has the GPU do again what `step` has it do, and gives the same tensors each time.

    `step` is taken once, which torch asks for.

    Raises:
        RuntimeError: `step` waits for the GPU or asks something of it, or memory is short.
    """
    present, side = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    side.wait_stream(present)
    with torch.cuda.stream(side):
        step()
    present.wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    try:
        # the thread that pins the loader's clips goes on meanwhile
        with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
            result = step()
    finally:
        torch.cuda.set_stream(present)  # an error leaves the other one

    def replay() -> tuple[Tensor, Tensor]:
        graph.replay()
        return result

    return replay


def apart(losses: Tensor, others: Tensor) -> float:
    """Relative difference of two series of losses; infinite where one is no number."""
    difference = float((losses - others).norm() / others.norm())
    return difference if difference >= 0 else float("inf")


def set_rates(optimizer: torch.optim.SGD, rates: list[float] | list[Tensor]) -> None:
    """Give each group of the optimiser its learning rate."""
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
