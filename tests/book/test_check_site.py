"""The check of a built book finds what is wrong with pages that are made to be wrong, and nothing with good ones."""

import asyncio
import base64
import random
import re
import sys
from pathlib import Path

import pytest

from tests import check_site, chromium, system

UNFOLDED = "<style>@media print { ::details-content { content-visibility: visible !important } }</style>"
FOLD = '<div class="bd-article"><details><summary>fold</summary><p>inside</p></details></div>'
FOUND = '<ul id="search-results"></ul><script>setTimeout(() => { document.querySelector("#search-results").innerHTML = \
"<li><a href=index.html>a page</a></li>" }, 300)</script>'
DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
BROKEN = {
    "console.html": ("<script>console.error('it broke')</script>", "error in the console: it broke"),
    "resource.html": (
        '<img src="gone.png" alt="gone">',
        r"error in the console: Failed to load resource: .* 404 .*/book/gone.png",
    ),
    "elsewhere.html": ('<script src="https://example.org/a.js"></script>', "fetches https://example.org/a.js"),
    "heavy.html": ('<link rel="stylesheet" href="heavy.css">', r"weighs 2\.1 MB, more than 2"),
    "wide.html": ('<div style="width: 600px">wide</div>', r"is \d+ pixels wide, scrolls sideways"),
    "verdict.html": (
        '<div style="overflow: auto"><b class="verdict" style="margin-left: 1300px">not so</b></div>',
        "a verdict is seen only after scrolling sideways: <b class",
    ),
    "picture.html": (f'<img src="{DOT}">', "a picture has no words: <img src="),
    "nameless.html": ("<button></button>", "a control has no name: <button"),
    "alike.html": ("<button>stop</button><button>stop</button>", "two controls have the name 'stop'"),
    "moving.html": ("<video autoplay muted aria-label='a wave'></video>", "a video does not stop by the keyboard"),
    "tex.html": (r"<p>\(t \times d\)</p>", r"raw TeX: \\\(t \\times d\\\)"),
    "pale.html": ('<p style="color: #ddd; background: white">pale</p>', "text is hardly seen: pale"),
    "dark.html": (
        "<style>@media (prefers-color-scheme: dark) { p { color: black; background: #111 } }</style><p>black</p>",
        "text is hardly seen: black",
    ),
}
UNREACHED = {
    "no_skip.html": (
        '<a href="index.html">home</a>',
        "the first Tab goes to 'index.html', not to a link to the content",
    ),
    "nowhere.html": ('<a href="#gone">skip</a>', "the first Tab goes to '#gone', not to a link to the content"),
    "past.html": (
        '<a href="#text">skip</a><main id="text">text</main><a href="index.html">home</a>',
        "after the link to the content, Tab does not go on inside the content",
    ),
}


def page(content: str = "") -> str:
    """A page that is as it should be, with this in it."""
    return whole(f'<a href="#main">skip</a><main id="main"><a href="index.html">home</a>{content}</main>')


def whole(body: str) -> str:
    """The icon is in the page, lest the browser ask for one that is not there."""
    return f'<!DOCTYPE html><html><head><link rel="icon" href="data:,"></head><body>{body}</body></html>'


def missing_page(home: str) -> str:
    return f'<!DOCTYPE html><html><head><base href="/book/"><link rel="icon" href="data:,"></head>\
<body><a href="{home}">home</a></body></html>'


def check(root: Path, pages: dict[str, str]) -> list[str]:
    for name, text in pages.items():
        (root / name).write_text(text)
    random_text = base64.b64encode(random.Random(0).randbytes(2_100_000)).decode()  # does not get smaller on its way
    (root / "heavy.css").write_text(f"/* {random_text} */")
    program = chromium.find()
    system.need("browser", "" if program else chromium.MISSING)
    return asyncio.run(check_site.check_in_browser(root, program))


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is found in a book with a page for each fault, where search, print and the way home are wrong too."""
    faults = {name: page(content) for name, (content, _) in BROKEN.items()}
    faults |= {name: whole(body) for name, (body, _) in UNREACHED.items()}
    of_book = {"index.html": page(FOLD), "search.html": page(), "404.html": missing_page("search.html")}
    return check(tmp_path_factory.mktemp("broken"), faults | of_book | {"good.html": page()})


def of(name: str, found: list[str]) -> dict[int, list[str]]:
    """The faults of a page by the width at which they were found, in pixels."""
    lines = [re.fullmatch(r"(\S+) at (\d+) pixels: (.*)", line, re.DOTALL) for line in found]
    return {width: [m[3] for m in lines if m and m[1] == name and int(m[2]) == width] for width in check_site.WIDTHS}


@pytest.mark.parametrize("name", BROKEN | UNREACHED)
def test_a_fault_is_found_at_both_widths_and_no_other(broken: list[str], name: str) -> None:
    for width, lines in of(name, broken).items():
        if (name, width) == ("wide.html", 1280):
            assert lines == []  # there is room
        else:
            [line] = lines
            assert re.match((BROKEN | UNREACHED)[name][1], line)


def test_searching_in_vain_a_closed_fold_on_paper_and_a_wrong_way_home_are_found(broken: list[str]) -> None:
    of_book = [line for line in broken if " pixels: " not in line]
    assert of_book[0] == "search.html: finds no page with 'convolution'"
    assert re.fullmatch(r"no/such/page.html: the page of missing pages links to http://.*/book/search.html", of_book[1])
    assert of_book[2:] == ["index.html, printed: 1 folds are closed"]
    assert of("good.html", broken) == {width: [] for width in check_site.WIDTHS}


def test_a_good_book_has_no_fault(tmp_path: Path) -> None:
    of_book = {"index.html": page(FOLD + UNFOLDED), "search.html": page(FOUND), "404.html": missing_page("index.html")}
    assert check(tmp_path, of_book) == []


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book of one page, and a machine without a browser."""
    (tmp_path / "index.html").write_text(page())
    monkeypatch.setattr(sys, "argv", ["check_site", str(tmp_path)])
    monkeypatch.delenv("STUDY_REQUIRED", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_without_a_browser_links_are_checked_and_a_line_says_what_to_install(
    book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_site.main() == 0
    assert "no page is opened: none of chromium, " in capsys.readouterr().out
    (book / "page.html").write_text('<a href="gone.html">broken</a>')
    assert check_site.main() == 1
    assert "page.html: the link 'gone.html' leads nowhere" in capsys.readouterr().out


def test_without_a_browser_that_is_required_the_check_and_the_tests_fail(
    book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STUDY_REQUIRED", "slurm browser")
    assert check_site.main() == 1
    assert "no page is opened: none of chromium, " in capsys.readouterr().out
    with pytest.raises(pytest.fail.Exception, match="no page is opened"):
        check(book, {})
    with pytest.raises(pytest.skip.Exception, match="no git"):
        system.need("git", "no git")
