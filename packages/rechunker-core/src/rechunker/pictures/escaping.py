"""Escaping: texts as parts of HTML and of XML, whatever characters they have."""

from __future__ import annotations

import re
from html import escape

__all__ = ["escaped"]

# XML has no way to write these, and a surrogate cannot be encoded.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def escaped(text: object) -> str:
    r"""Return a text that means itself within elements and quoted attributes.

    Parameters
    ----------
    text
        A text, or what has one.

    Examples
    --------
    >>> escaped("<script>'a' & \x00")
    '&lt;script&gt;&#x27;a&#x27; &amp; �'
    """
    return escape(_FORBIDDEN.sub("\ufffd", str(text)), quote=True)
