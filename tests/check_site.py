"""Checks a built book as its readers get it: `python -m tests.check_site book/_build/html`.

Every local link leads somewhere. In a headless Chromium every page, at the widths of a laptop and of a telephone, light
and dark: loads without an error, fetches nothing from other sites, weighs little, does not scroll sideways, lets the
keyboard skip to its content, and has none of the faults of `page_faults.js`; searching finds, and a wrong address gets
the page that says so. Without a browser the links alone are checked, and a line says so; where STUDY_REQUIRED names
`browser`, that is a fault.
"""

import argparse
import asyncio
import gzip
import mimetypes
import signal
import sys
import tempfile
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests import chromium, site_links, system

WIDTHS = (1280, 390)  # pixels
HEIGHT = 900
THEMES = ("light", "dark")
PAGE_FAULTS = Path(__file__).with_name("page_faults.js").read_text(encoding="utf-8")
ALIKE, OF_ALIKE = ("run_pages", "code"), 10  # one template makes the pages of such a folder: every tenth is opened
HEAVIEST = 2_000_000  # bytes sent for a page on a first visit, with all that it fetches from the book
TEXT = ("text/", "application/json", "application/javascript", "image/svg")  # what is compressed on its way
MISSING = "no/such/page.html"  # a wrong address two folders down


class Site(BaseHTTPRequestHandler):
    """Serves a book as GitHub Pages does: below a path, text compressed, and 404.html where nothing is found."""

    root: Path
    path_of_site = "/"

    def do_GET(self) -> None:
        """The file of an address, or the page of missing pages."""
        asked = unquote(urlsplit(self.path).path).removeprefix(self.path_of_site)
        file = (self.root / asked).resolve()
        file = file / "index.html" if file.is_dir() else file
        found = file.is_file() and file.is_relative_to(self.root)
        kind, content = content_of(file if found else self.root / "404.html")
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", kind)
        if kind.startswith(TEXT):
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the checks say what is wrong."""


@cache
def content_of(file: Path) -> tuple[str, bytes]:
    """The type of a file and what is sent of it, empty for a file that is not there."""
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    content = file.read_bytes() if file.is_file() else b""
    return kind, gzip.compress(content) if kind.startswith(TEXT) else content


def serve(root: Path) -> tuple[ThreadingHTTPServer, str]:
    """A server of the book in `root` and the book's address, below the path that its 404.html says."""
    page = root / "404.html"
    path = (page.exists() and site_links.read(page).base) or "/"
    handler = type("SiteOfBook", (Site,), {"root": root.resolve(), "path_of_site": path})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}{path}"


async def open_page(tab: chromium.Chromium, address: str, width: int) -> None:
    """Load an address at a width, all that was before forgotten."""
    await tab.send("Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=False)
    for url in ("about:blank", address):
        tab.events.clear()
        await tab.send("Page.navigate", url=url)
        await tab.until("Page.loadEventFired")


def errors(events: list[tuple[str, dict]]) -> list[str]:
    """What a page wrote to the console as an error, and the exceptions that it did not catch."""
    found = []
    for name, told in events:
        if name == "Log.entryAdded" and told["entry"]["level"] == "error":
            found.append(f"{told['entry']['text']} {told['entry'].get('url', '')}".strip())
        elif name == "Runtime.consoleAPICalled" and told["type"] == "error":
            found.append(" ".join(str(a.get("value", a.get("description", ""))) for a in told["args"]))
        elif name == "Runtime.exceptionThrown":
            detail = told["exceptionDetails"]
            found.append(detail.get("exception", {}).get("description", detail["text"]))
    return found


async def check_page(tab: chromium.Chromium, address: str, width: int) -> list[str]:
    """What is wrong with one page at one width."""
    await open_page(tab, address, width)
    site = "{0.scheme}://{0.netloc}".format(urlsplit(address))
    wrong = [f"error in the console: {text}" for text in errors(tab.events)]
    asked = [told["request"]["url"] for name, told in tab.events if name == "Network.requestWillBeSent"]
    allowed = (site, "data:", "blob:", "about:")
    wrong += [f"fetches {url}" for url in asked if not url.startswith(allowed)]
    weight = sum(told["encodedDataLength"] for name, told in tab.events if name == "Network.loadingFinished")
    if weight > HEAVIEST:
        wrong.append(f"weighs {weight / 1e6:.1f} MB, more than {HEAVIEST / 1e6:.0f}")
    needed = await tab.value("document.documentElement.scrollWidth")
    if needed > width:
        wrong.append(f"is {needed} pixels wide, scrolls sideways")
    if not address.endswith("/404.html"):  # which has no navigation
        wrong += await check_keyboard(tab)
    for theme in THEMES:
        await use_theme(tab, theme)
        wrong += await tab.value(PAGE_FAULTS)
    return list(dict.fromkeys(wrong))


async def use_theme(tab: chromium.Chromium, theme: str) -> None:
    """Show the page as for a reader whose system is light or dark."""
    await tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])


async def check_keyboard(tab: chromium.Chromium) -> list[str]:
    """The first Tab reaches a link to the content, Enter follows it, the next Tab is inside."""
    await tab.press("Tab")
    first = await tab.value("document.activeElement.getAttribute('href')")
    if not str(first).startswith("#") or not await tab.value(f"Boolean(document.querySelector({first!r}))"):
        return [f"the first Tab goes to {first!r}, not to a link to the content"]
    await tab.press("Enter")
    await tab.press("Tab")
    if not await tab.value(f"document.querySelector({first!r}).contains(document.activeElement)"):
        return ["after the link to the content, Tab does not go on inside the content"]
    return []


async def check_search(tab: chromium.Chromium, site: str) -> list[str]:
    """The search page finds a word that the first page has."""
    await open_page(tab, site + "search.html?q=convolution", WIDTHS[0])
    for _ in range(100):
        if await tab.value("document.querySelectorAll('#search-results li a').length"):
            return []
        await asyncio.sleep(0.1)
    return ["search.html: finds no page with 'convolution'"]


async def check_missing(tab: chromium.Chromium, site: str) -> list[str]:
    """A wrong address, at any depth, gets the book's page with a link home."""
    await open_page(tab, site + MISSING, WIDTHS[0])
    home = await tab.value("document.querySelector('a')?.href")
    return [] if home in (site, site + "index.html") else [f"{MISSING}: the page of missing pages links to {home}"]


async def check_print(tab: chromium.Chromium, site: str) -> list[str]:
    """On paper, where nobody can open them, the first page's folds are open."""
    await open_page(tab, site + "index.html", WIDTHS[0])
    await tab.send("Emulation.setEmulatedMedia", media="print")
    folds = "[...document.querySelectorAll('.bd-article details:not(.hide):not([open])')]"
    closed = await tab.value(f"{folds}.filter(fold => !fold.lastElementChild.checkVisibility()).length")
    await tab.send("Emulation.setEmulatedMedia", media="")
    return [f"index.html, printed: {closed} folds are closed"] if closed else []


def opened(root: Path) -> list[Path]:
    """The pages that are opened: all chapters, and of pages that are made alike every `OF_ALIKE`-th."""
    pages = site_links.pages(root)
    alike = [path for path in pages if path.parent.name in ALIKE]
    return [path for path in pages if path not in alike or alike.index(path) % OF_ALIKE == 0]


async def check_in_browser(root: Path, program: str) -> list[str]:
    """Everything that needs a browser, a line for what is wrong."""
    server, site = serve(root)
    wrong = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        async with chromium.Chromium(program, Path(profile)) as tab:
            for domain in ("Page", "Network", "Log", "Runtime"):
                await tab.send(f"{domain}.enable")
            await tab.send("Network.setCacheDisabled", cacheDisabled=True)
            await tab.send("Fetch.enable", patterns=[{"urlPattern": "https://*"}])
            for path in opened(root):
                name = path.relative_to(root).as_posix()
                for width in WIDTHS:
                    found = await check_page(tab, site + name, width)
                    wrong += [f"{name} at {width} pixels: {text}" for text in found]
            wrong += await check_search(tab, site)
            wrong += await check_missing(tab, site)
            wrong += await check_print(tab, site)
    server.shutdown()
    return wrong


def main() -> int:
    """0 where all is well, 1 with a line for each fault."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", type=Path, help="the built book, book/_build/html")
    root = parser.parse_args().root.resolve()
    if not (root / "index.html").exists():
        print(f"{root}: there is no index.html; build the book first: jupyter-book build book/")
        return 1
    wrong = site_links.broken(root)
    if program := chromium.find():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C does: the browser ends too
        wrong += asyncio.run(check_in_browser(root, program))
    elif system.required("browser"):
        wrong.append(chromium.MISSING)
    else:
        print(chromium.MISSING)
    print("\n".join(wrong) or f"{root}: {len(site_links.pages(root))} pages, nothing wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
