"""Sphinx extension: every chapter is executed anew at every build, as many at a time as there are cores.

MyST-NB executes one notebook after the other, and starting kernels and importing is most of a build. Here they are
executed before it reads them, into the cache that it then finds them in. That cache knows a chapter by its source
alone, while its numbers come from run folders and code: it is emptied first, so that it never outlives a build.
"""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nbclient
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util import logging

from studylib.parallel import available_cores

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
    found = dict(chapters(env, docnames))
    with ThreadPoolExecutor(available_cores()) as threads:  # threads, because the work is in the kernels' processes
        run = partial(execute, seconds=env.mystnb_config.execution_timeout)
        for path, notebook in zip(found, threads.map(run, found, found.values()), strict=True):
            log.info("executed %s", path.name)
            cache.cache_notebook_bundle(CacheBundleIn(notebook, str(path)), check_validity=False)


def chapters(env: object, docnames: list[str]) -> Iterator[tuple[Path, NotebookNode]]:
    """Files and notebooks of those documents that are executed: text notebooks. The others are records of runs."""
    for path in (Path(env.doc2path(name)) for name in docnames):
        text = path.read_text() if path.suffix == ".md" else ""
        if text and (reader := create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)):
            yield path, reader.read(text)


def execute(path: Path, notebook: NotebookNode, seconds: int) -> NotebookNode:
    """Execute a notebook in its file's folder, at most `seconds` a cell and to start the kernel; gives it with outputs.

    Raises:
        ChapterError: whatever goes wrong, with the file's name.
    """
    # the times of cells would go into their metadata, by which, too, a notebook is found in the cache
    options = {"timeout": seconds, "startup_timeout": seconds, "record_timing": False}
    try:
        return nbclient.execute(notebook, cwd=str(path.parent), **options)
    except Exception as error:
        raise ChapterError(f"{path}: {error or type(error).__name__}") from error
