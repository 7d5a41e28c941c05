"""The book's configuration and the pages of runs; the whole build is a step of its own."""

import importlib.util
import json
import logging
import os
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import pytest
from myst_nb.core.config import NbParserConfig
from myst_nb.core.execute import create_client
from myst_nb.core.read import create_nb_reader
from myst_parser.config.main import MdParserConfig
from sphinx.errors import ConfigError, SphinxError

from studylib import REPOSITORY
from studylib.runs import results
from studylib.runs.plan import PlannedRun
from studylib.training.spec import RunSpec
from tests.fake_runs import write_fake_run, write_notebook

BOOK = REPOSITORY / "book"
SPEC = RunSpec(experiment="conv_types", net="r3d", dataset="pantomime-quick", epochs=3)
PLANNED = PlannedRun("quick", "r3d-18_8f_seed0", SPEC)
PLAN = "title: 'quick: a try'\nruns: [{experiment: conv_types, net: r3d, dataset: pantomime-quick, epochs: 3}]\n"

CHAPTER = """---
kernelspec:
  name: python3
  display_name: Python 3
file_format: mystnb
---

# A chapter

```{code-cell}
%s
```
"""


def load_extension(name: str) -> ModuleType:
    """The module book/_ext/`name`.py."""
    spec = importlib.util.spec_from_file_location(name, BOOK / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def extension():
    return load_extension("run_pages")


@pytest.fixture
def one_core(monkeypatch):
    """A machine with one core, where it stands before `build`."""
    monkeypatch.setattr("studylib.video.machine.available_cores", lambda: 1)


@pytest.fixture
def build(tmp_path):
    """Execute chapters, name -> code of their one cell, as a build does; gives what each page then shows."""
    extension = load_extension("execute_chapters")
    config = NbParserConfig(execution_mode="cache", execution_cache_path=str(tmp_path / "cache"))
    config = config.copy(execution_timeout=60)
    env = SimpleNamespace(
        myst_config=MdParserConfig(), mystnb_config=config, doc2path=lambda name: str(tmp_path / f"{name}.md")
    )

    def run(**cells: str) -> dict[str, str]:
        for name, code in cells.items():
            (tmp_path / f"{name}.md").write_text(CHAPTER % code)
        extension.execute_chapters(None, env, list(cells))
        return {name: shown(tmp_path / f"{name}.md") for name in cells}

    def shown(path: Path) -> str:
        reader = create_nb_reader(str(path), env.myst_config, config, path.read_text())
        log = logging.getLogger(__name__)
        with create_client(reader.read(path.read_text()), str(path), config, log, reader.read_fmt) as client:
            return client.notebook.cells[1].outputs[0]["text"]

    return run


@pytest.fixture
def write_pages(extension, tmp_path):
    """Write the pages of the repository `tmp_path`, whose only plan is PLAN; gives their folder."""
    for name in ("book", "runs"):
        (tmp_path / name).mkdir()
    (tmp_path / "runs" / "quick.yaml").write_text(PLAN)

    app = SimpleNamespace(srcdir=tmp_path / "book", outdir=tmp_path / "html")

    def write() -> Path:
        extension.read_runs(app, None)
        (tmp_path / "html").mkdir(exist_ok=True)
        extension.write_pages(app, None)
        return tmp_path / "html" / "run_pages"

    write.read = lambda: extension.read_runs(app, None)  # what comes before the chapters
    yield write
    os.environ.pop(results.KEPT, None)


def test_a_chapter_is_executed_once_a_build_and_shows_what_its_files_say_at_that_build(build, tmp_path):
    code = "open('times', 'a').write('x'); print(open('record').read(), end='')"
    (tmp_path / "record").write_text("63.9")
    assert build(chapter=code) == {"chapter": "63.9"}
    (tmp_path / "record").write_text("61.2")
    assert build(chapter=code) == {"chapter": "61.2"}
    assert (tmp_path / "times").read_text() == "xx"


def test_chapters_share_a_kernel_but_no_names_and_no_folder(one_core, build, tmp_path):
    code = "import os; print(os.getpid(), 'left' in globals(), os.getcwd(), end=''); left = 1; os.chdir('/')"
    shown = build(first=code, second=f"{code}  # the same chapter again would be one in the cache")
    assert shown["first"] == shown["second"]
    assert shown["first"].split()[1:] == ["False", str(tmp_path)]


def test_a_failing_cell_stops_the_build_with_chapter_and_error_and_no_other_chapter_is_begun(one_core, build, tmp_path):
    with pytest.raises(SphinxError, match=r"(?s)first\.md: .*no_such_run.*KeyError"):
        build(first="{}['no_such_run']", second="open('begun', 'w').close()")
    assert not (tmp_path / "begun").exists()


def test_a_kernel_that_dies_stops_the_build_with_the_chapters_name(build):
    with pytest.raises(SphinxError, match=r"speed\.md: Kernel died"):
        build(speed="import os; os._exit(1)")


def test_a_complete_run_becomes_a_page_with_its_result_curve_settings_and_provenance(write_pages, tmp_path):
    folder = write_fake_run(tmp_path / PLANNED.folder, SPEC)
    (path,) = write_pages().iterdir()
    assert path.name == "quick_conv_types_r3d-18_8f_seed0.html"
    page = ElementTree.fromstring(re.sub(r"<!DOCTYPE.*?>|<meta[^>]*>|<link[^>]*>", "", path.read_text()))
    assert page.findtext("body/main/h1") == "R3D-18, quick: r3d-18_8f_seed0"
    assert [head.text for head in page.iter("h2")] == ["Result", "Error curve", "Settings", "Provenance"]
    rows = {row.findtext("th"): row.findtext("td") for row in page.iter("tr")}
    metrics = json.loads((folder / "metrics.json").read_text())
    assert rows["clip@1"] == f"{metrics['clip_top1']:.1f}%"
    assert (rows["dataset"], rows["epochs"], rows["spec hash"]) == ("pantomime-quick", "3", SPEC.hash)
    assert rows["device"].startswith("cpu; Imagined CPU")
    points = [line.get("points").split() for line in page.iter("polyline")]
    assert [len(of_line) for of_line in points] == [3, 3]  # epochs, of training and test
    assert "/somewhere" not in path.read_text()


def test_a_vanished_run_loses_its_page(write_pages, tmp_path):
    assert list(write_pages().iterdir()) == []
    folder = write_fake_run(tmp_path / PLANNED.folder, SPEC)
    assert len(list(write_pages().iterdir())) == 1
    (folder / "metrics.json").unlink()
    write_notebook(folder, ended=False)
    assert list(write_pages().iterdir()) == []


def test_a_broken_run_stops_the_build_with_its_name(write_pages, tmp_path):
    folder = write_fake_run(tmp_path / PLANNED.folder, SPEC)
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | {"video_top1": 99.9}))
    with pytest.raises(ConfigError, match=r"r3d-18_8f_seed0.*video_top1 99\.900"):
        write_pages()


def test_chapters_find_the_runs_that_the_build_has_checked(write_pages, build, tmp_path):
    folder = write_fake_run(tmp_path / PLANNED.folder, SPEC)
    find = "from pathlib import Path\nfrom studylib.runs import results\n"
    find += f"print(results.find_checked(Path({str(folder)!r})), end='')"
    assert build(chapter=find) == {"chapter": "None"}
    write_pages.read()
    assert "r3d-18_8f_seed0" in build(chapter=find)["chapter"]
    (folder / "predictions.parquet").touch()
    assert build(chapter=find) == {"chapter": "None"}


def test_a_chapter_links_to_the_modules_that_its_cells_import():
    cell = "```{code-cell}\nfrom studylib.book import checking, figures\nfrom studylib.claims import published\n```"
    found = load_extension("code_pages").modules(f"{cell}\nfrom studylib.nets import build", REPOSITORY)
    assert [path.as_posix() for path in found] == [
        f"studylib/{name}.py" for name in ("book/checking", "book/figures", "claims/published")
    ]
