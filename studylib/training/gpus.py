"""GPUs of this machine for runs side by side: a command gets some that no other command has.

`python -m studylib.training.gpus 2 papermill ...` waits for two, tells the command by CUDA_VISIBLE_DEVICES and ends as
it. A GPU is taken by a lock on a file, which ends with the process however it ends.
"""

import fcntl
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO


def visible() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch  # takes seconds, and a cluster's login node does without

    count, given = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        return [str(i) for i in range(count)]
    return named(given)[: count or None]  # a number beyond those that are there ends the list, too


def named(given: str) -> list[str]:
    """The GPUs in a list as CUDA reads it: up to the first word that is no GPU, and none where one comes twice.

    A word is a number, or a UUID ("GPU-...", "MIG-..."), of the same kind as the first.
    """
    found: list[tuple[str, str]] = []  # kind and name
    for word in given.split(","):
        match = re.match(r"\s*(?:\+?(\d+)|(GPU-|MIG-)\S+)", word)
        if match is None or (found and (match[2] or "") != found[0][0]):
            break
        found.append((match[2] or "", str(int(match[1])) if match[1] else word.strip()))
    return [name for _, name in found] if len(set(found)) == len(found) else []


def take(count: int, gpus: Iterable[str], folder: Path) -> dict[str, IO[str]]:
    """`count` free GPUs with their locks, which last as long as their files are open; none where fewer are free."""
    taken: dict[str, IO[str]] = {}
    for gpu in gpus:
        if len(taken) == count:
            break
        lock = (folder / f"gpu-{gpu.replace('/', '_')}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        taken[gpu] = lock
    if len(taken) == count:
        return taken
    for lock in taken.values():
        lock.close()
    return {}


def main(arguments: list[str]) -> int:
    """Become the command after the number of GPUs, once they are free."""
    count, gpus = int(arguments[0]), visible()
    if count > len(gpus):
        print(f"error: {count} GPUs asked for, {len(gpus)} are visible; lower gpus in the plan", file=sys.stderr)
        return 1
    folder = Path(tempfile.gettempdir()) / f"study-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    while not (taken := take(count, gpus, folder)):
        time.sleep(5)
    for lock in taken.values():
        os.set_inheritable(lock.fileno(), True)  # by papermill, which holds them until it ends
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
    os.execvp(arguments[1], arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
