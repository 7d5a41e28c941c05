"""Make the index of a dataset: `python -m studylib.datasets ucf101 --root VIDEOS --lists LISTS --out data/ucf101`."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from studylib.datasets import folder, hmdb51, kinetics, miracl, pantomime, sports1m, ucf101
from studylib.datasets.building import add_options, add_preparing, build, options, preparing
from studylib.datasets.index import PARTS, DatasetError, load_index
from studylib.datasets.preparing import Format, prepare
from studylib.datasets.preparing import report as report_prepared
from studylib.datasets.report import report
from studylib.video.files import user_path

# Command -> its module, and what reads its official lists.
LISTED = {
    "kinetics400": (kinetics, kinetics.read_400),
    "kinetics600": (kinetics, kinetics.read_600),
    "kinetics700": (kinetics, kinetics.read_700),
    "sports1m": (sports1m, sports1m.read),
    "ucf101": (ucf101, ucf101.read),
    "hmdb51": (hmdb51, hmdb51.read),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it went well, 1 with one line on stderr when it did not, 130 after Ctrl-C."""
    args = _parser().parse_args(arguments)
    try:
        args.name, data_root = name_and_data_root(args.out, args.name, args.default_name)
        with _data_root_at(data_root):
            _run(args)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what is done stays: call again to go on", file=sys.stderr)
        return 130
    return 0


def name_and_data_root(out: Path | None, name: str | None, default: str | None) -> tuple[str, Path | None]:
    """The name of the index and its data root (None: the usual one) by --out DATA_ROOT/NAME and --name.

    Errors: DatasetError when they contradict each other or neither is given and there is no default.
    """
    if out is None:
        if (name or default) is None:
            raise DatasetError("give the index a name: --name NAME, or --out DATA_ROOT/NAME")
        return name or default, None
    if name not in (None, default, out.name):
        raise DatasetError(f"--out {out} and --name {name} are two names for one index; give one of them")
    return out.name, out.absolute().parent


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m studylib.datasets", description=__doc__)
    commands = parser.add_subparsers(dest="dataset", required=True)

    def command(name: str, module: ModuleType, default_name: str | None) -> argparse.ArgumentParser:
        first, _, more = module.__doc__.partition("\n")
        about = {"description": first + more, "formatter_class": argparse.RawDescriptionHelpFormatter}
        of_dataset = commands.add_parser(name, help=first, **about)
        of_dataset.add_argument("--out", type=user_path, metavar="DATA_ROOT/NAME", help="folder of the index")
        of_dataset.set_defaults(default_name=default_name)
        add_preparing(of_dataset)
        return of_dataset

    pantomime.add_arguments(command("pantomime", pantomime, "pantomime-mini"))
    for name, (module, _) in LISTED.items():
        add_options(command(name, module, name), name, module.LISTS)
    of_folder = command("folder", folder, None)
    add_options(of_folder, None, None)
    of_folder.add_argument("--part", choices=PARTS, help="put all videos in this part (default: by folders, else test)")
    of_folder.add_argument("--classes", type=user_path, help="file of the class names in the order of their numbers")
    of_lips = command("miracl", miracl, None)
    of_lips.add_argument("--root", type=user_path, required=True, help="folder that holds a folder for each speaker")
    of_lips.add_argument("--task", required=True, help=" or ".join(miracl.CLASSES))
    of_lips.add_argument("--name", help="name of the index (default: the last part of --out)")
    of_lips.add_argument("--close", action="store_true", help="no border: the middle window shows 65%% of the mouth")
    of_lips.add_argument(
        "--validation", action="store_true", help="splits to choose settings by, without split 6's test"
    )
    of_lips.add_argument("--workers", type=int, help="processes (default: one for each core)")
    return parser


def _run(args: argparse.Namespace) -> None:
    wanted = preparing(args)  # first: the index may take hours
    if args.dataset == "pantomime":
        pantomime.main(args)
    elif args.dataset == "miracl":
        print(
            miracl.report(
                miracl.make(args.name, args.root, args.task, args.close, args.validation, workers=args.workers)
            )
        )
    elif args.dataset == "folder":
        print(report(folder.make(part=args.part, classes=args.classes, **options(args))))
    else:
        _, read = LISTED[args.dataset]
        print(report(build(lists=read(args.lists), **options(args))))
    if wanted is not None:
        resolution, pack = wanted
        prepared = prepare(load_index(args.name), Format(resolution), pack, workers=args.workers)
        print(f"\n{report_prepared(prepared)}")


@contextmanager
def _data_root_at(folder: Path | None) -> Iterator[None]:
    """Within it, all of the package keeps its data in `folder` (None: where it does already)."""
    before = os.environ.get("STUDY_DATA")
    if folder is not None:
        os.environ["STUDY_DATA"] = str(folder)
    try:
        yield
    finally:
        if folder is not None:
            os.environ.pop("STUDY_DATA")
            if before is not None:
                os.environ["STUDY_DATA"] = before


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may have letters that the locale lacks
    sys.exit(main())
