"""`python -m studylib.training RUN_FOLDER`, see `run`."""

import sys

from studylib.training.run import end_at_once, main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], end_at_once))
