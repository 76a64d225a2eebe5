"""A hook of mkdocs: pages that lie outside docs/, and links that lead out of the site.

Documents are written for readers on GitHub. In the site, README.md is the first page; links between
pages lead to pages, and links to files that are no pages become plain text.
"""

from __future__ import annotations

import json
import posixpath
import re
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
# Where documents of the repository are in the site.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "licence.md",
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
# What nbconvert gives to a picture.
_NO_ALT = 'alt="No description has been provided for this image"'
# mkdocs-jupyter 0.27 adds it to each page.
_MATHJAX = re.compile(r"<script data-mkdocs-jupyter-mathjax=.*?</script>\n?", re.DOTALL)
_LOADED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=.?(?:https?:)?//[^>]*>")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SESSION = re.compile(r"^```python\n(?=>>> )", re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie outside docs/."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text("utf-8")
        content = f"# Licence\n\n{text}" if source == "LICENSE" else text
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Make links fit the site, and name the language of examples with prompts."""
    name = page.file.src_uri
    sources = {shown: source for source, shown in PAGES.items()}
    place = sources.get(name, posixpath.join("docs", name))

    def link(match: re.Match[str]) -> str:
        return _link_in_site(match, place, name)

    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(link, markdown[end : fence.start()]), fence.group()]
        end = fence.end()
    return _SESSION.sub("```pycon\n", "".join([*parts, _LINK.sub(link, markdown[end:])]))


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Give the pictures of a notebook the texts that its cells carry as the metadata "alt"."""
    if not page.file.src_uri.endswith(".ipynb"):
        return html
    cells = json.loads(Path(page.file.abs_src_path).read_text("utf-8"))["cells"]
    texts = [cell["metadata"]["alt"] for cell in cells if "alt" in cell["metadata"]]
    before, *parts = html.split(_NO_ALT)
    if len(parts) != len(texts):
        raise ValueError(f"{page.file.src_uri} has {len(parts)} pictures and {len(texts)} texts")
    pairs = zip(texts, parts, strict=True)
    return before + "".join(f'alt="{escape(text)}"{part}' for text, part in pairs)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Take out what loads MathJax, which no page needs, and let nothing load from a network."""
    html = _MATHJAX.sub("", output)
    if found := _LOADED.search(html):
        raise ValueError(f"{page.file.src_uri} loads from a network: {found.group()}")
    return html


def _link_in_site(match: re.Match[str], place: str, name: str) -> str:
    """Return a link as it is in the site; of links that lead out of the site, the text.

    Parameters
    ----------
    match
        The link.
    place
        Where the document is in the repository.
    name
        Name of its page in the site.
    """
    mark, text, target = match.groups()
    path, hash_, anchor = target.partition("#")
    if "://" in target or target.startswith("mailto:") or not path:
        return match.group()
    goal = posixpath.normpath(posixpath.join(posixpath.dirname(place), path))
    if not (ROOT / goal).exists():
        return match.group()  # mkdocs warns of it
    if goal in PAGES:
        shown = PAGES[goal]
    elif goal.startswith("docs/"):
        shown = goal.removeprefix("docs/")
    else:
        return text
    return (
        f"{mark}[{text}]({posixpath.relpath(shown, posixpath.dirname(name) or '.')}{hash_}{anchor})"
    )
