"""Sphinx extension: every chapter ends with links to the modules that its cells import, and each of them has a page.

Two clicks from a number to its code, wherever the book lies. The pages are plain files, as those of runs.
"""

import re
from html import escape
from pathlib import Path
from string import Template

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.application import Sphinx

PAGE = Template((Path(__file__).parent.parent / "_templates" / "plain.html").read_text(encoding="utf-8"))
STYLES = "a11y-high-contrast-light", "a11y-high-contrast-dark"  # which come with the theme
IMPORT = re.compile(r"^(?:from|import) (studylib[\w.]*)(?: import (.*))?$", re.MULTILINE)
CELL = re.compile(r"```\{code-cell\}.*?```", re.DOTALL)


def setup(app: Sphinx) -> dict:
    """Links when a page is written; the modules' pages when all are."""
    app.connect("html-page-context", link_code)
    app.connect("build-finished", write_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def modules(text: str, repository: Path) -> list[Path]:
    """The files of the modules that a chapter's cells import, from the repository on, in their order."""
    found = {}
    for package, names in IMPORT.findall("\n".join(CELL.findall(text))):
        for module in (package, *(f"{package}.{name}" for name in re.findall(r"\w+", names))):
            path = Path(*module.split(".")).with_suffix(".py")
            if (repository / path).is_file():
                found[path] = None
    return list(found)


def page_of(path: Path) -> str:
    """The page of a module, from the book's top."""
    return f"code/{'.'.join(path.with_suffix('').parts)}.html"


def link_code(app: Sphinx, page: str, _template: str, context: dict, doctree: object) -> None:
    """Add the links to the end of a chapter."""
    source = Path(app.env.doc2path(page)) if doctree else Path()
    if source.suffix != ".md" or not (paths := modules(source.read_text(), Path(app.srcdir).parent)):
        return
    links = ", ".join(f'<a href="{page_of(p)}">{escape(p.relative_to("studylib").as_posix())}</a>' for p in paths)
    context["body"] += f'<p class="code-behind">Code behind this page: {links}.</p>'


def write_pages(app: Sphinx, error: Exception | None) -> None:
    """Make `code/` of the built book hold a page for each module that a chapter imports."""
    if error or app.builder.name != "html":
        return
    repository, folder = Path(app.srcdir).parent, Path(app.outdir) / "code"
    folder.mkdir(exist_ok=True)
    paths = {path for source in Path(app.srcdir).glob("*.md") for path in modules(source.read_text(), repository)}
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in STYLES)
    style = f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}"
    for path in paths:
        code = highlight((repository / path).read_text(), PythonLexer(), HtmlFormatter())
        page = PAGE.substitute(title=escape(path.as_posix()), style=style, width=60, body=code)
        (folder.parent / page_of(path)).write_text(page, encoding="utf-8")
