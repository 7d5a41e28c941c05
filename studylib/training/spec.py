"""The frozen, validated description of one run, and the hash that names it.

Plan files and papermill pass misspelt names and YAML's `1e-3` (a text) without a word: here a message names them.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from studylib.nets.table import BLOCKS, INITIALISATIONS, PRINTED_NAMES
from studylib.video.files import write_text

# The first word of a dataset's name says how it is made and read; the rest tells versions apart ("pantomime-quick").
DATASET_FAMILIES = (
    "pantomime", "ucf101", "hmdb51", "kinetics400", "kinetics600", "kinetics700", "sports1m", "miracl", "folder",
)  # fmt: skip

TORCHVISION_NETS = ("r3d_18", "mc3_18", "r2plus1d_18")
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_SOURCES = {  # of the first weights: kind -> what its name looks like
    "torchvision": "|".join(TORCHVISION_NETS),
    "run": rf"{_NAME}/{_NAME}/{_NAME}",
    "folder": rf"{_NAME}(/{_NAME})*",
    "file": rf"{_NAME}(\.pkl|\.pt|\.pth)",  # VMZ's Caffe2 pickles; state dicts and checkpoints of PyTorch
}


class Source(NamedTuple):
    """A parsed `init_from`: where a run's first weights come from. Loading them is `checkpoint`'s part."""

    kind: str  # "torchvision", "run", "folder" or "file"
    name: str  # what follows the colon


def parse_init_from(init_from: str) -> Source | None:
    """The source that `init_from` names, None for "" (from scratch). Errors: ValueError: says what it takes."""
    if init_from == "":
        return None
    kind, _, name = init_from.partition(":")
    if kind not in _SOURCES or not re.fullmatch(_SOURCES[kind], name):
        raise ValueError(
            f'init_from: {init_from!r} names no weights; it takes "" (from scratch), torchvision:NAME '
            f"({', '.join(TORCHVISION_NETS)}), run:PLAN/EXPERIMENT/RUN (a run of a plan), folder:PATH (another run "
            "folder, relative to the working directory) or file:NAME (.pkl, .pt or .pth in the data folder's weights/)"
        )
    return Source(kind, name)


def _init_from(value: str) -> str:
    parse_init_from(value)
    return value


def _dataset(value: str) -> str:
    if value.partition("-")[0] not in DATASET_FAMILIES:
        families = ", ".join(DATASET_FAMILIES)
        raise ValueError(f"dataset: {value!r} does not start with one of {families} (such as pantomime-quick)")
    return value


# A text is no number, and 2.0 no whole one.
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
Name = Annotated[str, Field(pattern=f"^{_NAME}$")]
Count = Annotated[int, Field(gt=0)]
FromZero = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class SpecError(ValueError):
    """Parameters that make no run; the message names each field and what it takes."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RunSpec:
    """One run: what is trained, on what, how, and how it is tested. Defaults are the paper's (section 4.1) and,
    where it is silent, VMZ's; but `amp`, which VMZ has fp32."""

    experiment: Name  # the notebook in book/experiments
    net: Literal[*PRINTED_NAMES]  # a net of Table 2, a variant, or c3d
    dataset: Annotated[Name, AfterValidator(_dataset)]  # an indexed dataset, "kinetics400" or "pantomime-quick"
    depth: Literal[*BLOCKS] = 18  # Table 1
    width: Count = 64  # filters of conv1
    clip_length: Count = 8  # frames
    frame_step: Count = 1  # frames of the video from one frame of a clip to the next; the paper's are consecutive
    resolution: Count = 112  # pixels, side of the crop; frames are scaled in proportion to 128 x 171
    modality: Literal["rgb", "flow"] = "rgb"  # frames or optical flow (section 4.4), the two streams
    split: Count = 1  # official split
    seed: FromZero = 0
    init_from: Annotated[str, AfterValidator(_init_from)] = ""  # where the first weights come from, see `Source`
    new_head: bool = False  # with init_from: the classifier starts anew, for other classes
    initialisation: Literal[*INITIALISATIONS] = "fan_out"  # of convolutions: He normal; not read with init_from
    epochs: FromZero = 45  # 0: tests the weights of init_from as they are
    clips_per_epoch: Count = 1_000_000
    batch_size: Count = 32  # clips a step and GPU
    lr: Positive = 0.01  # learning rate per GPU
    lr_schedule: Literal["step", "cosine"] = "step"  # divided by 10 every lr_step epochs, or to 0 at the end
    lr_step: Count = 10  # epochs; only read by the step schedule
    warmup_epochs: FromZero = 0  # the learning rate rises linearly over them
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4  # on convolution, FC and BN scale
    flip: bool = True  # horizontal flip of half of the training clips
    standardise: Literal["dataset", "clip"] = "dataset"  # fixed RGB mean and deviation, or each clip's own
    test_clips: Count = 10  # clips a video; not read by dense sampling
    test_sampling: Literal["random", "uniform", "dense"] = "random"  # Table 2 "random", Figure 5 "uniform"
    # Order of the frames within a test clip; "frozen" repeats the middle one. Of the test at the end alone: training
    # and the test after each epoch see the frames as they follow one another.
    frame_order: Literal["normal", "shuffled", "reversed", "frozen"] = "normal"
    sync_bn: bool = False  # BN statistics over the clips of all processes; the paper's are per GPU
    recompute: bool = False  # the backward pass computes blocks' activations again; same result, less memory
    amp: Literal["bf16", "fp32"] = "bf16"  # bf16 is checked before it is used

    def __post_init__(self) -> None:
        if self.epochs == 0 and not self.init_from:
            raise ValueError("epochs: 0 is out of range without init_from, which names the weights to start from")
        if self.new_head and (self.epochs == 0 or not self.init_from):
            raise ValueError("new_head: a new classifier starts from the weights of init_from, and has to be trained")
        if self.warmup_epochs >= max(self.epochs, 1):
            raise ValueError(f"warmup_epochs: {self.warmup_epochs} leaves nothing of {self.epochs} epochs")
        if self.modality == "flow" and (self.frame_order, self.frame_step) != ("normal", 1):
            name = "frame_step" if self.frame_order == "normal" else "frame_order"
            raise ValueError(
                f"{name}: {getattr(self, name)!r} needs modality rgb; flow is between frames as they follow one another"
            )
        if self.modality == "flow" and self.standardise == "clip":
            raise ValueError("standardise: 'clip' would take the speed out of flow; set it to dataset")

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "RunSpec":
        """A spec from names and values. Errors: SpecError: names all that are no field, missing or wrong."""
        try:
            return cls(**parameters)
        except ValidationError as error:
            raise SpecError(explained(error, cls)) from None

    @property
    def in_channels(self) -> int:
        """Channels of a clip: 3 of RGB, 2 of flow (horizontal, vertical)."""
        return 2 if self.modality == "flow" else 3

    def network(self, num_classes: int) -> dict[str, Any]:
        """Its network as the arguments that `nets.build.build_net` and `nets.complexity.count_by_name` share."""
        sizes = ("depth", "clip_length", "in_channels", "width", "resolution")
        return {"name": self.net, "num_classes": num_classes} | {size: getattr(self, size) for size in sizes}

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
        """Write `spec.json` into the run folder, which is made where it is missing. Errors: SpecError: it holds another
        run; nothing is touched then."""
        path = run_folder / "spec.json"
        if path.exists():
            require_same_spec(self, load_spec(run_folder), run_folder)
            return
        run_folder.mkdir(parents=True, exist_ok=True)
        write_text(path, self.to_json())


def load_spec(run_folder: Path) -> RunSpec:
    """The spec of a run folder. Errors: SpecError: no `spec.json`, not JSON, or not a spec."""
    path = run_folder / "spec.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise SpecError("holds no names and values; restore it or remove the run folder")
        return RunSpec.from_parameters(content)
    except FileNotFoundError:
        raise SpecError(f"{path}: missing; a run folder starts with its spec, see the experiment notebooks") from None
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from None
    except ValueError as error:
        raise SpecError(f"{path}: not JSON in UTF-8 ({error}); restore it or remove the run folder") from None


def recorded_hash(run_folder: Path) -> str:
    """The hash of the `spec.json` of a run folder as it was written: `RunSpec.hash`, unless a later version of this
    code knows more fields, which do not change what was run."""
    return hashlib.sha256((run_folder / "spec.json").read_bytes()).hexdigest()


def out_of_memory(spec: RunSpec) -> str:
    """The line for a run whose memory ran out: at which sizes, and which settings to change."""
    side, advice = spec.resolution, "lower batch_size (and lr in proportion)"
    if not spec.recompute:
        advice += ", or set recompute to true"
    return f"out of memory at batch_size {spec.batch_size} with clips of {spec.clip_length}x{side}x{side}: {advice}"


def require_same_spec(wanted: RunSpec, found: RunSpec, run_folder: Path) -> None:
    """Errors: SpecError where a run folder holds another run: names every field that differs, and what to do."""
    ours, theirs = asdict(wanted), asdict(found)
    differences = [f"{name} is {theirs[name]!r}, wanted {ours[name]!r}" for name in ours if ours[name] != theirs[name]]
    if differences:
        raise SpecError(
            f"{run_folder}: holds another run ({'; '.join(differences)}). "
            "Nothing was changed: rename or remove the folder, or give the run another name in the plan"
        )


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """ "; did you mean 'clip_length'?" or what there is to choose from."""
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"


def explained(error: ValidationError, of: type, what: str = "parameter") -> str:
    """What is wrong with each field of a dataclass that pydantic refused: its name, its value and what it takes."""
    names = [field.name for field in fields(of)]
    return "; ".join(_problem(one, names, what) for one in error.errors())


def _problem(error: Mapping[str, Any], names: Sequence[str], what: str) -> str:
    kind, value, name = error["type"], error["input"], ".".join(map(str, error["loc"]))
    if kind == "value_error":  # our own, which names the field
        return str(error["ctx"]["error"])
    if kind == "missing":
        return f"{name}: missing, give a value"
    if kind == "unexpected_keyword_argument":
        return f"{name}: no such {what}{did_you_mean(name, names)}"
    takes, hint = error["msg"].removeprefix("Input ").removeprefix("String "), ""
    if kind == "literal_error":
        near = difflib.get_close_matches(str(value), re.findall(r"'(\w+)'", takes), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
    elif kind == "float_type" and isinstance(value, str) and re.fullmatch(r"[+-]?[\d.]+e[+-]?\d+", value, re.I):
        hint = "; YAML reads 1e-3 as a text, write 0.001"
    return f"{name}: {value!r} {takes}{hint}"
