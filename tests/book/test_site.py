"""The book's way online, as far as it needs no build; `tests.check_site` checks a built book."""

import importlib.util
import re
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from docutils import nodes
from docutils.frontend import get_default_settings
from docutils.utils import new_document

from studylib import REPOSITORY
from tests import site_links

BOOK = REPOSITORY / "book"
CONFIG = yaml.safe_load((BOOK / "_config.yml").read_text())
CITATION = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
ADDRESSES = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "somebody/fork"}


@pytest.fixture
def online(monkeypatch):
    """The module book/_ext/online.py, with no address in the environment."""
    monkeypatch.syspath_prepend(str(BOOK / "_ext"))
    for name in (*ADDRESSES, "BOOK_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    spec = importlib.util.spec_from_file_location("online", BOOK / "_ext" / "online.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def config(url="", baseurl=""):
    """What the extension reads of Sphinx' configuration."""
    options = {"repository_url": url, "launch_buttons": CONFIG["launch_buttons"]}
    return SimpleNamespace(
        html_theme_options=options, html_baseurl=baseurl, html_additional_pages={}, html_title="The book"
    )


def app(baseurl, outdir=None, docs=()):
    """What the extension uses of a Sphinx application."""
    builder = SimpleNamespace(name="html", get_target_uri=lambda name: f"{name}.html")
    return SimpleNamespace(
        config=config(baseurl=baseurl), builder=builder, outdir=outdir, env=SimpleNamespace(all_docs=docs)
    )


def test_the_page_on_citing_says_what_the_citation_file_says():
    page = (BOOK / "citing.md").read_text()
    [paper] = CITATION["references"]
    assert f"{{{paper['title']}}}" in page
    assert " and ".join(f"{a['family-names']}, {a['given-names']}" for a in paper["authors"]) in page
    assert f"{{{{{CITATION['authors'][0]['name']}}}}}" in page
    assert f"{{{CITATION['version']}}}" in page
    entry = re.search(r"@inproceedings\{tran2018closer,.*?\n\}", page, re.DOTALL)[0]
    assert entry in (BOOK / "references.bib").read_text()


def test_binder_installs_the_project_with_its_own_versions_of_pytorch():
    lines = (REPOSITORY / "binder" / "requirements.txt").read_text().splitlines()
    torch = [line for line in lines if line.startswith("torch")]
    assert torch == [line for line in PROJECT["dependencies"] if line.startswith("torch")]
    python = (REPOSITORY / "binder" / "runtime.txt").read_text().strip()
    assert python == f"python-{PROJECT['requires-python'].removeprefix('>=')}"
    post = REPOSITORY / "binder" / "postBuild"
    assert post.stat().st_mode & 0o111
    assert "--editable ." in post.read_text()


def test_a_fork_s_book_links_to_the_fork(online, monkeypatch):
    for name, value in ADDRESSES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BOOK_ADDRESS", "https://somebody.github.io/fork")
    ours = config()
    online.use_addresses(None, ours)
    assert ours.html_theme_options["repository_url"] == "https://github.com/somebody/fork"
    assert ours.html_theme_options["use_source_button"] is True
    assert ours.html_baseurl == "https://somebody.github.io/fork/"


def test_without_an_address_there_is_no_button(online):
    ours = config()
    online.use_addresses(None, ours)
    assert "launch_buttons" not in ours.html_theme_options
    assert not any(ours.html_theme_options[name] for name in online.BUTTONS)


@pytest.mark.parametrize(
    ("page", "left"),
    [("experiments/depth", ["launch-buttons", "source-file-button"]), ("index", ["source-file-button"])],
)
def test_only_buttons_that_work_are_on_a_page(online, page, left):
    group = {"label": "source-buttons", "buttons": [{"label": "source-file-button"}]}
    context = {"header_buttons": [{"label": "launch-buttons"}, group]}
    online.keep_buttons_that_work(None, page, "page.html", context, None)
    labels = [b["label"] for b in context["header_buttons"]] + [b["label"] for b in group["buttons"]]
    assert [label for label in labels if label != "source-buttons"] == left


def test_a_page_tells_other_sites_its_title_its_first_paragraph_and_its_picture(online):
    document = new_document("page", get_default_settings())
    document += nodes.paragraph("", 'Networks for "video" & more.')
    context = {"pagetitle": "Twelve networks"}
    online.describe(app("https://a.github.io/b/"), "networks", "page.html", context, document)
    tags = dict(re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)"', context["metatags"]))
    assert tags["og:title"] == "Twelve networks"
    assert tags["og:description"] == tags["description"] == "Networks for &quot;video&quot; &amp; more."
    assert tags["og:url"] == "https://a.github.io/b/networks.html"
    assert tags["og:image"] == "https://a.github.io/b/_static/preview.png"


@pytest.mark.parametrize(
    ("address", "path"), [("https://a.github.io/b/", "/b/"), ("https://a.example/", "/"), ("", "/")]
)
def test_the_page_of_missing_pages_begins_its_links_at_the_book_s_root(online, address, path):
    context = {}
    online.describe(app(address), "404", "404.html", context, None)
    assert context["path_of_site"] == path
    assert '<base href="{{ path_of_site|e }}" />' in (BOOK / "_templates" / "404.html").read_text()


def test_the_sitemap_lists_every_page_and_the_picture_has_the_shape_that_sites_ask_for(online, tmp_path):
    (tmp_path / "_static").mkdir()
    online.write_files(app("https://a.github.io/b/", tmp_path, ("index", "experiments/depth")), None)
    listed = [place.text for place in ElementTree.parse(tmp_path / "sitemap.xml").iter() if place.tag.endswith("loc")]
    assert listed == ["https://a.github.io/b/experiments/depth.html", "https://a.github.io/b/index.html"]
    header = (tmp_path / "_static" / "preview.png").read_bytes()[:24]
    assert (int.from_bytes(header[16:20]), int.from_bytes(header[20:24])) == (1200, 630)


@pytest.fixture
def site(tmp_path):
    """A book of two pages."""
    (tmp_path / "part").mkdir()
    (tmp_path / "index.html").write_text('<a href="part/one.html#here">one</a><img src="logo.svg">')
    (tmp_path / "part" / "one.html").write_text('<h1 id="here"></h1><a href="../index.html">home</a>')
    (tmp_path / "logo.svg").write_text("<svg/>")
    return tmp_path


def test_links_that_lead_somewhere_are_not_reported(site, monkeypatch):
    assert site_links.broken(site) == []
    monkeypatch.chdir(site.parent)
    assert site_links.broken(Path(site.name)) == []


@pytest.mark.parametrize("link", ["two.html", "part/one.html#there", "#there", "part/logo.svg", "../outside.html"])
def test_a_link_that_leads_nowhere_is_reported_with_its_page(site, link):
    (site.parent / "outside.html").touch()
    (site / "page.html").write_text(f'<a href="{link}">broken</a>')
    assert site_links.broken(site) == [f"page.html: the link {link!r} leads nowhere"]
