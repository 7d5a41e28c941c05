"""Videos that turn out to be broken while a run reads them: replaced in training, left out in testing, counted, listed.

An index leaves out what cannot be read when it is made, but a file can hold frames that cannot be decoded, or break
later. A few must not end a week of training; many mean that something else is wrong.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from studylib.video.files import write_text

LARGEST_SHARE = 0.05  # of the videos of a part


class Fault(NamedTuple):
    """A video that could not be read, by its path in the dataset, and why."""

    video: str
    reason: str


class TooManyFaults(RuntimeError):
    """More of a part's videos are broken than a run may go on with."""


class Faults:
    """The faults of a run: of each part ("train", "test") the videos, why, and how many clips they cost."""

    def __init__(self, rows: Iterable[tuple[str, str, str, int]] = ()) -> None:
        """`rows` of a checkpoint, or of several processes: clips of the same video add up."""
        self._found: dict[tuple[str, str], tuple[str, int]] = {}
        for part, video, reason, clips in rows:
            _, before = self._found.get((part, video), ("", 0))
            self._found[part, video] = (reason, before + clips)

    def add(self, part: str, faults: Iterable[Fault], videos: int) -> None:
        """Count `faults` of a part that has so many `videos`. Errors: TooManyFaults, see `require_few`."""
        if faults:
            self._found = Faults([*self.rows(), *((part, *fault, 1) for fault in faults)])._found
            self.require_few(part, videos)

    def require_few(self, part: str, videos: int) -> None:
        """Go on only where few of a part's `videos` are broken. Errors: TooManyFaults: more than `LARGEST_SHARE`."""
        broken = [(video, reason) for (of, video), (reason, _) in self._found.items() if of == part]
        if len(broken) > LARGEST_SHARE * videos:
            video, reason = broken[-1]
            raise TooManyFaults(
                f"{len(broken)} of the {videos} {part} videos cannot be read, more than {LARGEST_SHARE:.0%}; the last: "
                f"{video}: {reason}. They are listed in faults.csv: mend or remove them and make the index again"
            )

    def rows(self) -> list[tuple[str, str, str, int]]:
        """(part, video, reason, clips) of each, in the order they were found, for a checkpoint."""
        return [(part, video, reason, clips) for (part, video), (reason, clips) in self._found.items()]

    def counts(self) -> dict[str, int]:
        """{"train": videos, "test": videos}."""
        return {part: sum(of == part for of, _ in self._found) for part in ("train", "test")}

    def write(self, run_folder: Path) -> None:
        """Write `faults.csv` if there are any: part, video, clips (replaced or left out) and reason."""
        if self._found:
            text = io.StringIO()
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(("part", "video", "clips", "reason"))
            writer.writerows((part, video, clips, reason) for part, video, reason, clips in self.rows())
            write_text(run_folder / "faults.csv", text.getvalue())
