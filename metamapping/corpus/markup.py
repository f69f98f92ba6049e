"""Markup: removes HTML tags and comments from a text, and replaces entities.

Input: a text. Output: the text with a space in place of each tag. Comparisons and generic types look like
tags (``a<b and c>d``, ``List<p>``) and stay, so only these are tags:

- ``</name>`` and ``<name/>`` of a known element, ``</my-name>`` of a custom one, and ``<br>``, ``<img>`` and
  other elements without content;
- ``<name>`` of a known element; right after a word or a closing bracket, where a comparison or a type may
  stand, only if it is closed later in the text, or if it begins a block (``<p>``, ``<li>``) and is followed
  by a word;
- tags with well-formed attributes, of known elements, or of any if a value is quoted.

    without_markup("caf&eacute; <b>noir</b>")       # "café  noir "
    without_markup("if a<b and c>d, List<int>")     # unchanged
"""

from __future__ import annotations

import html
import re
from html.entities import html5

_VOID = "area|base|br|col|embed|hr|iframe|img|input|link|meta|source|track|wbr"
_BLOCKS = "p|li|dt|dd|tr|td|th|thead|tbody|tfoot|option"  # their end tags may be left out
_OTHERS = (
    "a|abbr|address|article|aside|audio|b|big|blockquote|body|button|canvas|caption|center|cite|code"
    "|del|details|dfn|div|dl|em|fieldset|figcaption|figure|font|footer|form|h[1-6]|head|header|html|i"
    "|ins|kbd|label|legend|main|mark|nav|noscript|object|ol|pre|q|s|samp|script|section|select|small|span"
    "|strike|strong|style|sub|summary|sup|svg|table|textarea|time|title|tt|u|ul|var|video"
)
_BOOLEAN = (
    "allowfullscreen|async|autofocus|autoplay|checked|controls|default|defer|disabled|hidden|ismap|itemscope"
    "|loop|multiple|muted|nomodule|nowrap|noshade|novalidate|open|playsinline|readonly|required|reversed"
    "|selected"
)
_NAME = r"[A-Za-z_:][\w:.-]{0,99}"
# The parts of a tag never match the same characters in two ways, so that matching takes linear time.
_ATTRIBUTES = rf"""(?:\s+(?:{_NAME}\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>`]+)|(?:{_BOOLEAN})(?![\w=-])))+"""
_QUOTED = rf"""(?:\s+{_NAME}\s*=\s*(?:"[^"]*"|'[^']*'))+"""
_MARKUP = re.compile(
    rf"""
      <!doctype\b[^<>]*>
    | </(?:{_VOID}|{_BLOCKS}|{_OTHERS})\s*>
    | </[a-z][a-z0-9]*-[\w-]*>
    | <(?:{_VOID})(?:{_ATTRIBUTES})?\s*/?>
    | <(?:{_BLOCKS}|{_OTHERS})(?:{_ATTRIBUTES}\s*/?|\s*/)>
    | <{_NAME}{_QUOTED}\s*/?>
    | <(?P<block>{_BLOCKS})>
    | <(?P<other>{_OTHERS})>
    """.replace(" ", "").replace("\n", ""),
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7};|#[xX][0-9A-Fa-f]{1,6};|([A-Za-z][A-Za-z0-9]{1,31};))")
# Entities that are often written without their semicolon.
_UNFINISHED = re.compile(r"&(?:amp|lt|gt|quot|nbsp)(?![A-Za-z0-9;=])")


def without_markup(text: str) -> str:
    """Return a text with entities replaced, and a space in place of each tag and comment.

    Args:
        text: A text that may have HTML in it.
    """
    text = _ENTITY.sub(_character, text)
    text = _UNFINISHED.sub(lambda match: html.unescape(match[0] + ";"), text)
    text = _without_comments(text)
    last_end: dict[str, int] = {}  # the last end tag of each element, searched once

    def replaced(match: re.Match[str]) -> str:
        name = match["block"] or match["other"]
        if name is None or not _may_be_a_type(text, match.start()):
            return " "
        name = name.lower()
        if name not in last_end:
            ends = re.finditer(rf"</{name}\s*>", text, re.IGNORECASE)
            last_end[name] = max((end.start() for end in ends), default=-1)
        is_closed = last_end[name] >= match.end()
        return " " if is_closed or (match["block"] and _is_between_words(text, match)) else match[0]

    return _MARKUP.sub(replaced, text)


def _without_comments(text: str) -> str:
    """The text with a space for each comment; found without a pattern, which would take quadratic time."""
    parts, position = [], 0
    while (start := text.find("<!--", position)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts.append(text[position:start])
        position = end + 3
    return " ".join([*parts, text[position:]])


def _is_between_words(text: str, match: re.Match[str]) -> bool:
    """Whether a tag joins two words (``first<p>second``), unlike one that compares (``i<p>q``)."""
    before, after = text[max(0, match.start() - 2) : match.start()], text[match.end() : match.end() + 1]
    return len(before.strip()) == 2 and after.isalnum()


def _may_be_a_type(text: str, position: int) -> bool:
    """Whether what precedes ``<`` may be compared or have a type argument."""
    before = text[position - 1 : position] if position else ""
    return before.isalnum() or before in ("_", ")", "]")


def _character(match: re.Match[str]) -> str:
    return match[0] if match[1] is not None and match[1] not in html5 else html.unescape(match[0])
