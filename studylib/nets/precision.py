"""bf16 is checked before it is trusted.

It doubles the speed of training on a CPU that computes in it, but oneDNN's gradients have been wrong for some shapes
(see `build.Conv3d`): every convolution of a net is compared with fp32, at the shapes that it will see.
"""

from math import inf, isfinite

import torch
from torch import Tensor, nn

from studylib.nets.complexity import calls

# bf16 keeps 8 bits of the mantissa: sound layers differ from fp32 by about 0.3%, broken ones by far more or not at
# all finitely. The bound lies in the wide gap between.
LARGEST_RELATIVE_ERROR = 0.05


def bf16_is_native(device: torch.device) -> bool:
    """Whether the device computes in bf16 itself; emulation is right but slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """A context of bf16 autocast on `device` when `precision` is "bf16", of nothing when it is "fp32"."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def choose_precision(
    asked: str, net: nn.Module, clip_shape: tuple[int, int, int, int], batch_size: int, device: torch.device
) -> tuple[str, str]:
    """The precision to train in, "bf16" or "fp32" as `asked` where that is native and right, and a line that says why.
    `net`, on `device`, is checked at the run's own shapes: `batch_size` clips of `clip_shape` = (C, T, H, W)."""
    if asked == "fp32":
        return "fp32", "fp32 as asked"
    if not bf16_is_native(device):
        return "fp32", f"fp32: this {device.type} has no bf16 arithmetic of its own, emulation would be slower"
    convolutions = distinct_convolutions(net, (batch_size, *clip_shape))
    worst, where = max((relative_error(conv, shape, device), name) for name, conv, shape in convolutions)
    if worst > LARGEST_RELATIVE_ERROR:
        return "fp32", f"fp32: bf16 gradients of {where} are wrong on this {device.type} (relative error {worst:.3g})"
    return "bf16", f"bf16: largest relative error of a convolution or its gradients {worst:.2%} ({where})"


def distinct_convolutions(net: nn.Module, shape: tuple[int, ...]) -> list[tuple[str, nn.Conv3d, tuple[int, ...]]]:
    """(name, convolution, its input's shape) of every convolution of `net`, one of each kind; batch of `shape` kept."""
    found: dict[tuple, tuple[str, nn.Conv3d, tuple[int, ...]]] = {}
    modules = [(name, module) for name, module in net.named_modules() if isinstance(module, nn.Conv3d)]
    for name, conv, inputs, _ in calls(net, shape[1:], modules):
        found.setdefault((inputs, conv.weight.shape, conv.stride), (name, conv, (shape[0], *inputs)))
    return list(found.values())


def relative_error(conv: nn.Conv3d, shape: tuple[int, ...], device: torch.device, repeats: int = 2) -> float:
    """Largest relative error of output and of both gradients of `conv` in bf16 against torch's in fp32."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator).to(device).contiguous(memory_format=torch.channels_last_3d)

    def run(precision: str, out_gradient: Tensor | None) -> list[Tensor]:
        x_leaf = x.detach().requires_grad_()
        with autocast(device, precision):
            y = nn.Conv3d.forward(conv, x_leaf) if precision == "fp32" else conv(x_leaf)
        if out_gradient is None:
            out_gradient = torch.randn(y.shape, generator=generator).to(device)
        gradients = torch.autograd.grad(y, (x_leaf, conv.weight), out_gradient.to(y.dtype))
        return [out_gradient, y.detach().float(), *(g.float() for g in gradients)]

    out_gradient, *reference = run("fp32", None)
    worst = 0.0
    for _ in range(repeats):  # with freed memory full of NaN: one known fault reads memory that was never written
        for size in (1_000, 10_000, 100_000, 1_000_000):
            torch.full((size,), float("nan"), device=device)
        for right, got in zip(reference, run("bf16", out_gradient)[1:], strict=True):
            error = float((right - got).norm() / right.norm())
            worst = max(worst, error if isfinite(error) else inf)
    return worst
