"""Sphinx extension: every chapter is executed anew at every build, as many at a time as there are cores.

MyST-NB executes one notebook after the other, and starting kernels and importing is most of a build. Here they are
executed before it reads them, into the cache that it then finds them in, by one kernel a core: a chapter begins without
the names of the one before it, but what that imported need not be imported again. The cache knows a chapter by its
source alone, while its numbers come from run folders and code: it is emptied first, so that it never outlives a build.
"""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util import logging

from studylib.video.machine import available_cores

log = logging.getLogger(__name__)


class ChapterError(SphinxError):
    """A chapter that does not come to its end; the message names it and shows the cell."""

    category = "Chapter failed"


def setup(app: Sphinx) -> dict:
    """Execute the chapters just before Sphinx reads them."""
    app.connect("env-before-read-docs", execute_chapters)
    return {"version": "1", "parallel_read_safe": True}


def execute_chapters(_app: Sphinx, env: object, docnames: list[str]) -> None:
    """Execute the chapters among `docnames` into MyST-NB's cache, which holds nothing else then.

    Raises:
        ChapterError: a cell fails or takes too long; chapters that have not begun are not begun.
    """
    folder = Path(env.mystnb_config.execution_cache_path)
    if folder.exists():
        shutil.rmtree(folder)
    cache = get_cache(folder)
    waiting = iter(list(chapters(env, docnames)))  # of a list, whose iterator threads can share
    kernels = available_cores()
    with ThreadPoolExecutor(kernels) as threads:  # threads, because the work is in the kernels' processes
        work = [threads.submit(execute, waiting, env.mystnb_config.execution_timeout) for _ in range(kernels)]
        for path, notebook in chain.from_iterable(done.result() for done in work):
            cache.cache_notebook_bundle(CacheBundleIn(notebook, str(path)), check_validity=False)


def chapters(env: object, docnames: list[str]) -> Iterator[tuple[Path, NotebookNode]]:
    """Files and notebooks of those documents that are executed: text notebooks. The others are records of runs."""
    for path in (Path(env.doc2path(name)) for name in docnames):
        text = path.read_text() if path.suffix == ".md" else ""
        if text and (reader := create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)):
            yield path, reader.read(text)


def execute(waiting: Iterator[tuple[Path, NotebookNode]], seconds: int) -> list[tuple[Path, NotebookNode]]:
    """Execute notebooks that are waiting in one kernel, each in its file's folder, until none is; with their outputs.

    At most `seconds` a cell and to start the kernel.

    Raises:
        ChapterError: whatever goes wrong, with the file's name; no notebook is waiting then.
    """
    # the times of cells would go into their metadata, by which, too, a notebook is found in the cache
    options = {"timeout": seconds, "startup_timeout": seconds, "record_timing": False}
    client, done = None, []
    with ExitStack() as kernel:
        for path, notebook in waiting:
            begin = new_code_cell(f"%reset -f\n__import__('os').chdir({str(path.parent)!r})")
            notebook.cells.insert(0, begin)
            try:
                if client is None:
                    client = NotebookClient(notebook, **options)
                    kernel.enter_context(client.setup_kernel())
                client.nb = notebook
                client.execute(cleanup_kc=False)
            except Exception as error:
                list(waiting)  # other kernels begin no other chapter
                raise ChapterError(f"{path}: {error or type(error).__name__}") from error
            notebook.cells.remove(begin)
            log.info("executed %s", path.name)
            done.append((path, notebook))
    return done
