"""The frozen, validated description of one run, and the hash that names it.

Parameters arrive from plan files and papermill calls, where a misspelt name or YAML's `1e-3` (a text, not a number)
would otherwise pass without a word: every field says here what it takes and a message names the one that is wrong.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from studylib.nets.table import BLOCKS, INITIALISATIONS, PRINTED_NAMES
from studylib.training.init_from import parse
from studylib.video.files import write_text

# The first word of a dataset's name says how it is made and read; the rest tells versions apart ("pantomime-quick").
DATASET_FAMILIES = (
    "pantomime", "ucf101", "hmdb51", "kinetics400", "kinetics600", "kinetics700", "sports1m", "miracl", "folder",
)  # fmt: skip


class SpecError(ValueError):
    """Parameters that make no run; the message names each field and what it takes."""


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One run: what is trained, on what, how, and how it is tested. Defaults are the paper's (section 4.1)."""

    experiment: str  # the notebook in book/experiments
    net: str  # a key of net_table.PRINTED_NAMES: a net of Table 2, a variant, or c3d
    dataset: str  # name of an indexed dataset, "kinetics400" or "pantomime-quick"
    depth: int = 18  # 18 or 34, Table 1
    width: int = 64  # filters of conv1
    clip_length: int = 8  # frames
    frame_step: int = 1  # frames of the video from one frame of a clip to the next; the paper's are consecutive
    resolution: int = 112  # pixels, side of the crop; frames are scaled in proportion to 128 x 171
    modality: str = "rgb"  # "rgb" frames or optical "flow" (section 4.4), the two streams
    split: int = 1  # official split, from 1
    seed: int = 0
    init_from: str = ""  # where the first weights come from: "" from scratch, else see init_from.TAKES
    new_head: bool = False  # with init_from: the classifier starts anew, for other classes
    initialisation: str = "fan_out"  # of convolutions: He normal by "fan_out" or "fan_in"; not read with init_from
    epochs: int = 45  # 0: tests the weights of init_from as they are
    clips_per_epoch: int = 1_000_000
    batch_size: int = 32  # clips a step and GPU
    lr: float = 0.01  # learning rate per GPU
    lr_schedule: str = "step"  # "step": divided by 10 every lr_step epochs; "cosine": to 0 at the end
    lr_step: int = 10  # epochs; only read by the step schedule
    warmup_epochs: int = 0  # the learning rate rises linearly over them
    weight_decay: float = 1e-4  # on convolution, FC and BN scale
    flip: bool = True  # horizontal flip of half of the training clips
    standardise: str = "dataset"  # "dataset": fixed RGB mean and deviation; "clip": each clip's own
    test_clips: int = 10  # clips a video; not read by dense sampling
    test_sampling: str = "random"  # "random" (Table 2), "uniform" (Figure 5) or "dense"
    # Order of the frames within a test clip: "normal", "shuffled", "reversed" or "frozen" (the middle one repeated). Of
    # the test at the end alone: training and the test after each epoch see the frames as they follow one another.
    frame_order: str = "normal"
    sync_bn: bool = False  # BN statistics over the clips of all processes; the paper's are per GPU
    recompute: bool = False  # the backward pass computes blocks' activations again; same result, less memory
    amp: str = "bf16"  # "bf16" (checked before it is used) or "fp32"

    def __post_init__(self) -> None:
        problems = [problem for field in fields(self) if (problem := _problem(field, getattr(self, field.name)))]
        if problems:
            raise SpecError("; ".join(problems))
        for field in fields(
            self
        ):  # a whole number is a fine learning rate, but hashes must not depend on how it is typed
            if field.type is float:
                object.__setattr__(self, field.name, float(getattr(self, field.name)))
        if not self.init_from and (self.epochs == 0 or self.new_head):
            wrong = "epochs: 0 is out of range" if self.epochs == 0 else "new_head: is true"
            raise SpecError(f"{wrong} without init_from, which names the weights to start from")
        if self.epochs == 0 and self.new_head:
            raise SpecError("new_head: a new classifier has to be trained, epochs is 0")
        if self.warmup_epochs >= max(self.epochs, 1):
            raise SpecError(f"warmup_epochs: {self.warmup_epochs} leaves nothing of {self.epochs} epochs")
        if self.frame_order != "normal" and self.modality == "flow":
            raise SpecError(
                f"frame_order: {self.frame_order!r} needs modality rgb; flow is computed between frames as they follow "
                "one another, and moving flows about is not the flow of moved frames"
            )
        if self.frame_step != 1 and self.modality == "flow":
            raise SpecError(
                f"frame_step: {self.frame_step} needs modality rgb; flow is between neighbouring frames, and takes 1"
            )

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "RunSpec":
        """A spec from names and values, of a plan, a JSON file or a papermill call.

        Raises:
            SpecError: a name that is no field (with the nearest one), a missing one, a wrong type or value.
        """
        known = [field.name for field in fields(cls)]
        unknown = [name for name in parameters if name not in known]
        if unknown:
            raise SpecError("; ".join(f"{name}: no such parameter{did_you_mean(name, known)}" for name in unknown))
        missing = [name for name in ("experiment", "net", "dataset") if name not in parameters]
        if missing:
            raise SpecError(f"{', '.join(missing)}: missing, give a value")
        return cls(**parameters)

    @property
    def in_channels(self) -> int:
        """Channels of a clip: 3 of RGB, 2 of flow (horizontal, vertical)."""
        return 2 if self.modality == "flow" else 3

    @property
    def dataset_family(self) -> str:
        """ "pantomime" of "pantomime-quick"."""
        return self.dataset.partition("-")[0]

    def to_json(self) -> str:
        """Canonical JSON: keys sorted, one field a line."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @property
    def hash(self) -> str:
        """Hexadecimal SHA-256 of the canonical JSON; the run's name in its results."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def save(self, run_folder: Path) -> None:
        """Write `spec.json` into the run folder, which is made where it is missing.

        Raises:
            SpecError: the folder already holds another run; nothing is touched then.
        """
        path = run_folder / "spec.json"
        if path.exists():
            require_same_spec(self, load_spec(run_folder), run_folder)
            return
        run_folder.mkdir(parents=True, exist_ok=True)
        write_text(path, self.to_json())


def load_spec(run_folder: Path) -> RunSpec:
    """The spec of a run folder.

    Raises:
        SpecError: no `spec.json`, not JSON, or not a spec; the message names the file.
    """
    path = run_folder / "spec.json"
    try:
        return RunSpec.from_parameters(json.loads(path.read_text()))
    except FileNotFoundError:
        raise SpecError(f"{path}: missing; a run folder starts with its spec, see the experiment notebooks") from None
    except json.JSONDecodeError as error:
        raise SpecError(f"{path}: not JSON ({error}); restore it or remove the run folder") from None
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None


def recorded_hash(run_folder: Path) -> str:
    """The hash of the `spec.json` of a run folder as it was written.

    It equals `RunSpec.hash` unless a later version of this code knows more fields: those do not change what was run.
    """
    return hashlib.sha256((run_folder / "spec.json").read_bytes()).hexdigest()


def require_same_spec(wanted: RunSpec, found: RunSpec, run_folder: Path) -> None:
    """Refuse a run folder that holds another run, naming every field that differs.

    Raises:
        SpecError: with what to do; the results in the folder stay as they are.
    """
    ours, theirs = asdict(wanted), asdict(found)
    differences = [f"{name} is {theirs[name]!r}, wanted {ours[name]!r}" for name in ours if ours[name] != theirs[name]]
    if differences:
        raise SpecError(
            f"{run_folder}: holds another run ({'; '.join(differences)}). "
            "Nothing was changed: rename or remove the folder, or give the run another name in the plan"
        )


def did_you_mean(name: str, known: list[str]) -> str:
    """ "; did you mean 'clip_length'?" or what there is to choose from."""
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"


CHOICES: dict[str, tuple] = {
    "net": tuple(PRINTED_NAMES),
    "depth": tuple(BLOCKS),
    "modality": ("rgb", "flow"),
    "initialisation": INITIALISATIONS,
    "lr_schedule": ("step", "cosine"),
    "standardise": ("dataset", "clip"),
    "test_sampling": ("random", "uniform", "dense"),
    "frame_order": ("normal", "shuffled", "reversed", "frozen"),
    "amp": ("bf16", "fp32"),
}
MAY_BE_ZERO = ("seed", "epochs", "warmup_epochs", "weight_decay")


def _problem(field: Any, value: Any) -> str | None:
    """What is wrong with the value of a field, None where nothing is."""
    name = field.name
    if name in CHOICES and value not in CHOICES[name]:
        choices = [str(choice) for choice in CHOICES[name]]
        near = difflib.get_close_matches(str(value), choices, 1)
        hint = f"; did you mean {near[0]!r}?" if near and near[0] != str(value) else ""
        return f"{name}: {value!r} is not one of {', '.join(choices)}{hint}"
    if name == "init_from":
        try:
            parse(value)
        except ValueError as error:
            return str(error)
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if field.type is str:
        if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", value):
            return f"{name}: {value!r} is not a plain name (letters, digits, _ . -)"
        if name == "dataset" and value.partition("-")[0] not in DATASET_FAMILIES:
            families = ", ".join(DATASET_FAMILIES)
            return f"dataset: {value!r} does not start with one of {families} (such as pantomime-quick)"
        return None
    if field.type is bool:
        return None if isinstance(value, bool) else f"{name}: {value!r} is not true or false"
    if field.type is int and not (number and isinstance(value, int)):
        return f"{name}: {value!r} ({type(value).__name__}) is not a whole number"
    if field.type is float and not number:
        hint = "; YAML reads 1e-3 as a text, write 0.001" if isinstance(value, str) else ""
        return f"{name}: {value!r} ({type(value).__name__}) is not a number{hint}"
    least = 0 if name in MAY_BE_ZERO else 1 if field.type is int else 1e-12
    if not least <= value < float("inf"):
        return f"{name}: {value!r} is out of range, it takes " + ("0 or more" if least == 0 else "more than 0")
    return None
