"""`python -m studylib.training RUN_FOLDER`, see `run`."""

import sys

from studylib.training.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
