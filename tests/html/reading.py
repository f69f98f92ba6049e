"""Reads a page as a browser would: elements, attributes and text, and what could run or be loaded."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser

# Texts that become code, or end the element or the attribute that they are in, where nothing escapes them.
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "javascript:alert(1)",
    "<!-- --!><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;script&gt;",
    "\u202eright to left",
    "\x00\x0b nothing to see",
)
_LOADING = {"src", "srcset", "data", "action", "formaction", "background", "poster", "ping", "xlink:href"}
_RUNNING = {"script", "iframe", "object", "embed", "base", "form", "link", "img", "foreignobject"}


class Reading(HTMLParser):
    """A page that was read.

    Attributes:
        elements: Name and attributes of each element.
        text: All text outside of the style sheet.
        style: The style sheet.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.style, self._is_style = "", "", False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._is_style = tag == "style"

    def handle_endtag(self, tag):
        self._is_style = self._is_style and tag != "style"

    def handle_data(self, data):
        if self._is_style:
            self.style += data
        else:
            self.text += data

    def of(self, tag):
        """The attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]


def check_harmless(page: str) -> Reading:
    """Check that nothing in a page can run or be loaded, and return what was read."""
    read = Reading(page)
    assert not {tag for tag, _ in read.elements} & _RUNNING
    for _, attributes in read.elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert not set(attributes) & _LOADING
        assert ":" not in (attributes.get("href") or "")
    assert len(read.of("style")) == 1
    (policy,) = [each["content"] for each in read.of("meta") if each.get("http-equiv")]
    digest = base64.b64encode(hashlib.sha256(read.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return read
