"""Make the index of a dataset: `python -m studylib.datasets pantomime|ucf101|folder ...`."""

import argparse
import sys

from studylib.datasets import folder, pantomime, ucf101

MODULES = {"pantomime": pantomime, "ucf101": ucf101, "folder": folder}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it went well, 1 with one line on stderr when it did not."""
    parser = argparse.ArgumentParser("python -m studylib.datasets", description=__doc__)
    commands = parser.add_subparsers(dest="dataset", required=True)
    for name, module in MODULES.items():
        first_line = module.__doc__.splitlines()[0]
        module.add_arguments(commands.add_parser(name, help=first_line, description=first_line))
    args = parser.parse_args(arguments)
    try:
        MODULES[args.dataset].main(args)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
