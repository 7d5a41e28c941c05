"""Make the index of a dataset: `python -m studylib.datasets ucf101 --root VIDEOS --lists LISTS`."""

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
        family = args.name.partition("-")[0]
        if family != args.dataset and family in ("pantomime", "miracl"):  # which may be there already
            raise DatasetError(f"--name: {args.name!r} names a dataset of {family}; call it {args.dataset}-...")
        if args.prepare is not None and args.prepare < 16:  # first: the index may take hours
            raise DatasetError(f"--prepare must be at least 16, not {args.prepare}")
        if args.dataset == "pantomime":
            index = pantomime.main(args)
        elif args.dataset == "miracl":
            index = miracl.make(args.name, args.root, args.task, args.close, args.validation, workers=args.workers)
            print(miracl.report(index))
        else:
            how = {"only_present": args.only_present, "workers": args.workers}
            if args.dataset == "folder":
                index = build_from_folders(args.name, args.root, args.part, args.classes, **how)
            else:
                index = build(args.name, args.root, READERS[args.dataset](args.lists), **how)
            print(report(index))
        if args.prepare:
            print(f"\n{report_prepared(prepare(index, args.prepare, workers=args.workers))}")
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
        name_help = "name of the index" + (" (default: %(default)s)" if default_name else "")
        of_dataset.add_argument("--name", default=default_name, required=default_name is None, help=name_help)
        of_dataset.add_argument("--workers", type=int, help="processes (default: one for each core)")
        transcoded = "make the dataset NAME-<height>x<width>, too: videos transcoded for crops of so many pixels (112)"
        of_dataset.add_argument("--prepare", nargs="?", type=int, const=112, metavar="CROP", help=transcoded)
        return of_dataset

    def of_own_videos(name: str, about: object, default_name: str | None) -> argparse.ArgumentParser:
        of_dataset = command(name, about, default_name)
        of_dataset.add_argument("--root", type=user_path, required=True, help="folder under which the videos lie")
        of_dataset.add_argument("--only-present", action="store_true", help="number only the classes that have a video")
        return of_dataset

    pantomime.add_arguments(command("pantomime", pantomime, "pantomime-mini"))
    for name, read in READERS.items():
        of_lists = of_own_videos(name, getattr(read, "func", read), name)
        of_lists.add_argument("--lists", type=user_path, required=True, help="the official lists, or their folder")
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


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may have letters that the locale lacks
    sys.exit(main())
