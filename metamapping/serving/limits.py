"""Limits: how much one request and one server take.

    limits = Limits(texts=100)
    limits.check_texts(["it has not arrived"])     # ValueError for more than 100 texts

A request that is too large is refused before the encoder sees it; one whose body is too large, before
it is read to its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ESCAPED_CHARACTER = 6  # bytes: é is \u00e9 in the JSON of many clients
_BODY_BESIDE_TEXTS = 1 << 20

Text = str | list[str]


@dataclass(frozen=True)
class Limits:
    """``tasks`` of the server, ``examples`` of a task, ``texts`` and ``characters`` of a request."""

    tasks: int = 1_000
    examples: int = 5_000
    texts: int = 1_000
    characters: int = 500_000

    @property
    def body_bytes(self) -> int:
        """The longest body."""
        return self.characters * _ESCAPED_CHARACTER + _BODY_BESIDE_TEXTS

    def check_texts(self, texts: Sequence[Text], text_pairs: Sequence[str] | None = None) -> None:
        """Refuse too many texts to predict, or too long ones. Raises ``ValueError``."""
        if len(texts) > self.texts:
            raise ValueError(
                f"{len(texts)} texts, but a request may have {self.texts}: send them in several requests, or "
                "start the server with a higher --max-texts"
            )
        self.check_characters([*texts, *(text_pairs or ())])

    def check_examples(self, num_examples: int, texts: Iterable[Text]) -> None:
        """Refuse a task that would have ``num_examples``, and too long ``texts``. Raises ``ValueError``."""
        if num_examples > self.examples:
            raise ValueError(
                f"the task would have {num_examples} examples, but may have {self.examples}: give fewer, or "
                "start the server with a higher --max-examples"
            )
        self.check_characters(texts)

    def check_characters(self, texts: Iterable[Text]) -> None:
        """Refuse texts that are too long together. Raises ``ValueError``."""
        # A word costs the encoder something however short it is: the gap before it counts.
        total = sum(
            len(text) if isinstance(text, str) else sum(len(word) + 1 for word in text) for text in texts
        )
        if total > self.characters:
            raise ValueError(
                f"{total} characters of texts, but a request may have {self.characters}: send them in "
                "several requests, or start the server with a higher --max-characters"
            )


class BodyLimit:
    """Ends a request with 413 as soon as its body is longer than ``max_bytes``."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what arrives; the header that announces a length is not believed."""
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.max_bytes:
                raise HTTPException(
                    413,
                    f"the body has more than {self.max_bytes} bytes: send it in several requests, or start "
                    "the server with a higher --max-characters",
                    headers={"Connection": "close"},
                )
            return message

        await self.app(scope, counted if scope["type"] == "http" else receive, send)
