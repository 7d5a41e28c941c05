"""Sphinx extension: what the published book has that a folder on a disk needs not.

Links to the repository and buttons that start a notebook elsewhere (the theme's), the meta tags by which other sites
show a page, their picture, the sitemap and the page of missing pages. They need addresses: the repository's is
`repository: url` of `_config.yml`, or where that is empty that of the GitHub repository whose workflow builds the book,
so that a fork's book links to the fork; the book's is `html: baseurl`, or what the workflow says. Where an address is
not known, what needs it is left out.
"""

import html
import os
from pathlib import Path
from textwrap import shorten
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

LAUNCHED = "experiments/"  # notebooks that are files of the repository, and run by themselves
PREVIEW = "_static/preview.png"
BUTTONS = ("use_repository_button", "use_source_button", "use_issues_button")


def setup(app: Sphinx) -> dict:
    """Addresses before the theme reads them (800), changes to a page after it has made its buttons (501)."""
    app.connect("config-inited", use_addresses, priority=100)
    app.connect("config-inited", leave_out_thebe, priority=100)
    app.connect("html-page-context", keep_buttons_that_work, priority=600)
    app.connect("html-page-context", describe, priority=600)
    app.connect("build-finished", write_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def use_addresses(_app: Sphinx, config: Config) -> None:
    """Fill in the addresses that `_config.yml` leaves empty; no buttons without one."""
    options = config.html_theme_options
    server, repository = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    if not options.get("repository_url") and server and repository:
        options["repository_url"] = f"{server}/{repository}"
    if not options.get("repository_url"):
        options.pop("launch_buttons", None)
    options |= dict.fromkeys(BUTTONS, bool(options.get("repository_url")))
    address = config.html_baseurl or os.environ.get("BOOK_ADDRESS", "")
    config.html_baseurl = address and address.rstrip("/") + "/"
    config.html_additional_pages = {**config.html_additional_pages, "404": "404.html"}


def leave_out_thebe(app: Sphinx, _config: Config) -> None:
    """Jupyter Book always loads Thebe: unused here, it writes another repository's address into each page."""
    for event in ("env-before-read-docs", "doctree-resolved"):
        for listener in list(app.events.listeners.get(event, ())):
            if listener.handler.__module__ == "sphinx_thebe":
                app.disconnect(listener.id)


def keep_buttons_that_work(_app: Sphinx, page: str, _template: str, context: dict, _doctree: object) -> None:
    """Only experiments are started elsewhere."""
    unwanted = set() if page.startswith(LAUNCHED) else {"launch-buttons"}
    buttons = [b for b in context.get("header_buttons", []) if b.get("label") not in unwanted]
    for group in buttons:
        if "buttons" in group:
            group["buttons"] = [b for b in group["buttons"] if b.get("label") not in unwanted]
    context["header_buttons"] = buttons


def describe(app: Sphinx, page: str, _template: str, context: dict, doctree: nodes.document | None) -> None:
    """Meta tags (Open Graph): title, first paragraph, picture. The page of missing pages is told where the book is."""
    address = app.config.html_baseurl
    context["path_of_site"] = urlsplit(address).path or "/"
    if doctree is None:
        return
    first = next((p for p in doctree.findall(nodes.paragraph) if p.astext().strip()), None)
    text = shorten(first.astext(), 200, placeholder=" …") if first else ""
    title = context.get("pagetitle") or page
    tags = {"og:type": "article", "og:site_name": app.config.html_title, "og:title": title, "og:description": text}
    if address:
        tags |= {"og:url": address + app.builder.get_target_uri(page), "og:image": address + PREVIEW}
        tags |= {"og:image:alt": app.config.html_title}
    lines = [f'<meta property="{name}" content="{html.escape(value)}" />' for name, value in tags.items()]
    lines += [f'<meta name="description" content="{html.escape(text)}" />']
    lines += ['<meta name="twitter:card" content="summary_large_image" />']
    context["metatags"] = context.get("metatags", "") + "\n    " + "\n    ".join(lines)


def write_files(app: Sphinx, error: Exception | None) -> None:
    """The picture and the sitemap, where the book's address is known and the build has not failed."""
    address = app.config.html_baseurl
    if error or app.builder.name != "html" or not address:
        return
    from preview import draw  # here, because it imports PyTorch

    folder = Path(app.outdir)
    draw(folder / PREVIEW)
    pages = sorted(address + app.builder.get_target_uri(name) for name in app.env.all_docs)
    lines = "".join(f"  <url><loc>{escape(page)}</loc></url>\n" for page in pages)
    (folder / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}</urlset>\n'
    )
