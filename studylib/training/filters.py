"""The filters of a factorised conv1, which Figure 6 (appendix) shows of R(2+1)D: kept with a run, in `conv1.npz`.

A run keeps them because its checkpoints stay on the machine that trained it. Only nets with a conv1 in two factors have
the file, and no run has it that was recorded before it was thought of.
"""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studylib.training.run_files import RunFolderError
from studylib.video.files import write_atomically

if TYPE_CHECKING:
    from torch import nn

FILE = "conv1.npz"


def conv1_filters(net: "nn.Module") -> tuple[np.ndarray, np.ndarray] | None:
    """Weights of conv1's two factors; None of a net whose conv1 is one convolution, and of C3D.

    Args:
        net: of `build_net`, not the copy that DistributedDataParallel makes of it.

    Returns:
        float32, axes as in torch's Conv3d (outputs, inputs, time, height, width), on the CPU: spatial
        (45, 3, 1, 7, 7) and temporal (64, 45, 3, 1, 1) in the paper's R(2+1)D; 2 inputs on flow.
    """
    from torch import nn  # here, because who only reads filters, as the book does, can do without torch

    factors = [module for module in getattr(net, "stem", ()) if isinstance(module, nn.Conv3d)]
    if len(factors) != 2:
        return None
    spatial, temporal = (factor.weight.detach().float().cpu().contiguous().numpy() for factor in factors)
    return spatial, temporal


def write_conv1(run_folder: Path, net: "nn.Module") -> None:
    """Write `conv1.npz` (arrays `spatial` and `temporal`, see `conv1_filters`) in one step, where the net has them.

    The same weights give the same bytes.

    Raises:
        OSError: the file cannot be written; an earlier one is intact.
    """
    if (filters := conv1_filters(net)) is not None:
        spatial, temporal = filters
        write_atomically(run_folder / FILE, lambda file: np.savez(file, spatial=spatial, temporal=temporal))


def read_conv1(run_folder: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Spatial (M, C, 1, 7, 7) and temporal filters (N, M, 3, 1, 1) of a run, float32; None where it has no `conv1.npz`.

    Raises:
        RunFolderError: the file is no archive of both, or they are not such filters or not all finite.
    """
    path = run_folder / FILE
    if not path.exists():
        return None
    advice = "restore it, or remove the folder and run it again"
    try:
        with np.load(path) as archive:
            spatial, temporal = archive["spatial"], archive["temporal"]
    except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RunFolderError(f"{path}: not the two factors of a conv1 ({reason}); {advice}") from None
    for name, array, kernel in (("spatial", spatial, (1, 7, 7)), ("temporal", temporal, (3, 1, 1))):
        if array.dtype != np.float32 or array.ndim != 5 or array.shape[2:] != kernel:
            size = "x".join(map(str, kernel))
            raise RunFolderError(
                f"{path}: {name} is {array.dtype} {array.shape}, not float32 filters of {size}; {advice}"
            )
        if not np.isfinite(array).all():
            raise RunFolderError(f"{path}: {name} has weights that are not finite; {advice}")
    if temporal.shape[1] != spatial.shape[0]:
        raise RunFolderError(
            f"{path}: temporal reads {temporal.shape[1]} channels, spatial gives {spatial.shape[0]}; {advice}"
        )
    return spatial, temporal
