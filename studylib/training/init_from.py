"""What `init_from` of a run may say: where its first weights come from. Loading them is `weights`' part."""

import re
from dataclasses import dataclass

TORCHVISION_NETS = ("r3d_18", "mc3_18", "r2plus1d_18")
SUFFIXES = (".pkl", ".pt", ".pth")  # VMZ's Caffe2 pickles; state dicts and checkpoints of PyTorch
TAKES = (
    '"" (from scratch), torchvision:NAME (' + ", ".join(TORCHVISION_NETS) + "), run:PLAN/EXPERIMENT/RUN (a run of a "
    "plan), folder:PATH (another run folder, relative to the working directory) or file:NAME (.pkl, .pt or .pth in the "
    "data folder's weights/)"
)
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_GRAMMAR = {
    "torchvision": "|".join(TORCHVISION_NETS),
    "run": rf"{_NAME}/{_NAME}/{_NAME}",
    "folder": rf"{_NAME}(/{_NAME})*",
    "file": rf"{_NAME}({'|'.join(map(re.escape, SUFFIXES))})",
}


@dataclass(frozen=True)
class Source:
    """A parsed `init_from`."""

    kind: str  # "torchvision", "run", "folder" or "file"
    name: str  # what follows the colon


def parse(init_from: str) -> Source | None:
    """The source that `init_from` names, None for "" (from scratch).

    Raises:
        ValueError: says what it takes.
    """
    if init_from == "":
        return None
    kind, _, name = init_from.partition(":") if isinstance(init_from, str) else ("", "", "")
    if kind not in _GRAMMAR or not re.fullmatch(_GRAMMAR[kind], name):
        raise ValueError(f"init_from: {init_from!r} names no weights; it takes {TAKES}")
    return Source(kind, name)
