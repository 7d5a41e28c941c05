"""Numbers and switches that are set by environment variables."""

import os
from collections.abc import Mapping
from typing import Any


def number(
    name: str, takes: str, default: Any, least: int = 0, kind: type = int, environ: Mapping[str, str] = os.environ
) -> Any:
    """The number, an `int` or a `float`, that a variable holds; `default` where it is not set or empty.

    `least` is the smallest that it takes; the largest is finite.
    Errors: ValueError names the variable, what it holds and what it `takes`, "a number of processes from 1 on".
    """
    given = environ.get(name, "")
    if not given:
        return default
    try:
        if least <= (value := kind(given)) < float("inf"):
            return value
    except ValueError:
        pass
    raise ValueError(f"{name}: {given!r} is not {takes}")


def switched_on(name: str) -> bool:
    """Whether a variable is 1; 0 is off, and so is one that is not set or empty. Errors: ValueError for others."""
    given = os.environ.get(name) or "0"
    if given not in ("0", "1"):
        raise ValueError(f"{name}: {given!r} is neither 0 nor 1")
    return given == "1"
