"""Rendering: one self-contained HTML page from a template, which a browser shows without network.

A page has a single style sheet and pictures drawn as SVG; it loads nothing and runs no script. Texts, labels
and names come from data of any origin: the templates escape them (Jinja's autoescape), and the page's
Content-Security-Policy forbids scripts, styles other than its own, and loading anything, should a template
ever forget to.

    html = render_page("task.html", title="orders", labels=labels)
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"
_STYLE = "style.css"


def render_page(template: str, **content: Any) -> str:
    """Fill a template.

    Args:
        template: The name of a file in ``templates``.
        content: What the template shows, by the names that it uses; all use ``title`` and ``version``.

    Returns:
        A whole HTML document.

    Raises:
        jinja2.UndefinedError: The template uses a name that is not given.
    """
    style = (TEMPLATES / _STYLE).read_text(encoding="utf-8")
    page = _environment().get_template(template)
    return page.render(style=style, policy=policy_of(style), **content)


def policy_of(style: str) -> str:
    """The Content-Security-Policy of a page with one style sheet.

    Args:
        style: The text of the page's ``style`` element. Only an element with this hash is applied.
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def to_bytes(page: str) -> bytes:
    """Encode a page as UTF-8; characters that UTF-8 does not have (lone surrogates) become question marks.

    Args:
        page: The HTML document.
    """
    return page.encode("utf-8", "replace")


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
