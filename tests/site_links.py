"""The links of a built book: which of them lead nowhere, without following any to other sites."""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit


class Page(HTMLParser):
    """The links, the places to jump to and the `<base>` of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.base: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Every element counts: scripts, pictures and style sheets are links too."""
        given = {name: value for name, value in attrs if value is not None}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "base":
            self.base = given.get("href")
            return
        self.links += [given[name] for name in ("href", "src", "poster", "action") if name in given]


@cache
def read(path: Path) -> Page:
    """The page of a file."""
    return Page(path.read_text(encoding="utf-8"))


def pages(root: Path) -> list[Path]:
    """The pages of the built book in `root`, as absolute paths; what the theme keeps in `_static` is none."""
    root = root.resolve()
    return sorted(path for path in root.rglob("*.html") if "_static" not in path.relative_to(root).parts)


def broken(root: Path) -> list[str]:
    """A line for each local link of the built book in `root` whose file, or place in its file, is not there.

    Links of a page with a `<base>` (the page of missing pages) begin at the root.
    """
    root = root.resolve()
    return [
        f"{path.relative_to(root)}: the link {link!r} leads nowhere"
        for path in pages(root)
        for link in dict.fromkeys(read(path).links)
        if not _leads_somewhere(link, path, root)
    ]


def _leads_somewhere(link: str, path: Path, root: Path) -> bool:
    address, place = urldefrag(link)
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return True  # another site's, or a picture in the page itself
    start = root if read(path).base else path.parent
    target = (start / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file() or not target.is_relative_to(root):
        return False
    return not place or target.suffix != ".html" or unquote(place) in read(target).places | {"top"}
