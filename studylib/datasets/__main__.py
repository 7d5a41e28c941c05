"""Make the index of a dataset: `python -m studylib.datasets ucf101 --root VIDEOS --lists LISTS --out data/ucf101`."""

import argparse
import inspect
import sys

from studylib.datasets import miracl, pantomime
from studylib.datasets.building import build, build_from_folders, report
from studylib.datasets.index import PARTS, DatasetError
from studylib.datasets.lists import READERS, folders
from studylib.datasets.preparing import prepare
from studylib.datasets.preparing import report as report_prepared
from studylib.video.files import user_path


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it went well, 1 with one line on stderr when it did not, 130 after Ctrl-C."""
    args = parser().parse_args(arguments)
    try:
        _run(args)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what is done stays: call again to go on", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line: a command for each dataset."""
    whole = argparse.ArgumentParser("python -m studylib.datasets", description=__doc__)
    commands = whole.add_subparsers(dest="dataset", required=True)

    def command(name: str, about: object, default_name: str | None) -> argparse.ArgumentParser:
        text = inspect.getdoc(about)
        of_dataset = commands.add_parser(
            name, help=text.partition("\n")[0], description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        of_dataset.set_defaults(default_name=default_name)
        of_dataset.add_argument("--out", type=user_path, metavar="DATA_ROOT/NAME", help="folder of the index")
        default = default_name or "the last part of --out"
        of_dataset.add_argument("--name", help=f"name of the index (default: {default})")
        of_dataset.add_argument("--workers", type=int, help="processes (default: one for each core)")
        transcoded = "make the dataset NAME-<height>x<width>, too: transcoded videos, which training reads faster"
        of_dataset.add_argument("--prepare", action="store_true", help=transcoded)
        resolution = "with --prepare: side of the crops runs will take (default: 112)"
        of_dataset.add_argument("--resolution", type=int, metavar="CROP", help=resolution)
        return of_dataset

    def of_own_videos(name: str, about: object, default_name: str | None) -> argparse.ArgumentParser:
        of_dataset = command(name, about, default_name)
        of_dataset.add_argument("--root", type=user_path, required=True, help="folder under which the videos lie")
        of_dataset.add_argument("--only-present", action="store_true", help="number only the classes that have a video")
        return of_dataset

    pantomime.add_arguments(command("pantomime", pantomime, "pantomime-mini"))
    for name, reader in READERS.items():
        about = getattr(reader.read, "func", reader.read)
        of_own_videos(name, about, name).add_argument("--lists", type=user_path, required=True, help=reader.lists)
    of_folder = of_own_videos("folder", folders, None)
    of_folder.add_argument("--part", choices=PARTS, help="put all videos in this part (default: by folders, else test)")
    of_folder.add_argument("--classes", type=user_path, help="file of the class names in the order of their numbers")
    of_lips = command("miracl", miracl, None)
    of_lips.add_argument("--root", type=user_path, required=True, help="folder that holds a folder for each speaker")
    of_lips.add_argument("--task", required=True, help=" or ".join(miracl.CLASSES))
    of_lips.add_argument("--close", action="store_true", help="no border: the middle window shows 65%% of the mouth")
    splits = "splits to choose settings by, without split 6's test"
    of_lips.add_argument("--validation", action="store_true", help=splits)
    return whole


def _run(args: argparse.Namespace) -> None:
    given, args.data_root = args.name, args.out and args.out.absolute().parent
    args.name = args.out.name if args.out else given or args.default_name
    if args.name is None:
        raise DatasetError("give the index a name: --name NAME, or --out DATA_ROOT/NAME")
    if given not in (None, args.default_name, args.name):
        raise DatasetError(f"--out {args.out} and --name {given} are two names for one index; give one of them")
    if args.resolution is not None and not args.prepare:  # first: the index may take hours
        raise DatasetError("--resolution says how videos are prepared: give --prepare, too")
    if args.resolution is not None and args.resolution < 16:
        raise DatasetError(f"--resolution must be at least 16, not {args.resolution}")
    where = {"data_root": args.data_root, "workers": args.workers}
    if args.dataset == "pantomime":
        index = pantomime.main(args)
    elif args.dataset == "miracl":
        index = miracl.make(args.name, args.root, args.task, args.close, args.validation, **where)
        print(miracl.report(index))
    else:
        where["only_present"] = args.only_present
        if args.dataset == "folder":
            index = build_from_folders(args.name, args.root, args.part, args.classes, **where)
        else:
            index = build(args.name, args.root, READERS[args.dataset].read(args.lists), **where)
        print(report(index))
    if args.prepare:
        print(f"\n{report_prepared(prepare(index, args.resolution or 112, workers=args.workers))}")


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may have letters that the locale lacks
    sys.exit(main())
