"""Limits on what one request and one server accept.

    limits = Limits(texts=100)
    limits.check_texts(["it has not arrived"])     # ValueError for more than 100 texts

A request that is too large is rejected before it is encoded. If its body is too large, it is rejected
before the whole body is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BYTES_PER_CHARACTER = 6  # é is \u00e9 in the JSON of many clients
_BYTES_BESIDES_TEXTS = 1 << 20

Text = str | list[str]


@dataclass(frozen=True)
class Limits:
    """What a server accepts.

    Attributes:
        tasks: Number of tasks of the server.
        examples: Number of examples of one task.
        labels: Number of labels of one task; the time of adapting grows faster than they do.
        texts: Number of texts of one request for predictions.
        characters: Number of characters of all texts of one request.
        jobs: Number of tuning jobs that are not finished.
        tune_seconds: Time of one of them.
    """

    tasks: int = 1_000
    examples: int = 5_000
    texts: int = 1_000
    characters: int = 500_000
    jobs: int = 8
    tune_seconds: float = 600.0
    labels: int = 1_000

    @property
    def body_bytes(self) -> int:
        """Largest body of a request, in bytes."""
        return self.characters * _BYTES_PER_CHARACTER + _BYTES_BESIDES_TEXTS

    def check_texts(self, texts: Sequence[Text], text_pairs: Sequence[str] | None = None) -> None:
        """Check the texts of a request.

        Args:
            texts: The texts, or the lists of words, to label.
            text_pairs: The second text of each pair.

        Raises:
            ValueError: The texts are too many or too long.
        """
        if len(texts) > self.texts:
            raise ValueError(
                f"{len(texts)} texts, but a request may have {self.texts}: send them in several requests, or "
                "start the server with a higher --max-texts"
            )
        self.check_characters([*texts, *(text_pairs or ())])

    def check_examples(self, num_examples: int, texts: Iterable[Text]) -> None:
        """Check the examples of a request.

        Args:
            num_examples: Number of examples that the task would have.
            texts: All texts and labels of the request.

        Raises:
            ValueError: There would be too many examples, or the texts are too long.
        """
        if num_examples > self.examples:
            raise ValueError(
                f"the task would have {num_examples} examples, but may have {self.examples}: give fewer, or "
                "start the server with a higher --max-examples"
            )
        self.check_characters(texts)

    def check_labels(self, labels: Iterable[object]) -> None:
        """Check the number of different labels of a task.

        Args:
            labels: The labels of all its examples, each one label or a list of them; tags of words count by
                their type.

        Raises:
            ValueError: They are too many.
        """
        different = set()
        for label in labels:
            different |= {_type_of(each) for each in label} if isinstance(label, list) else {str(label)}
        if len(different) > self.labels:
            raise ValueError(
                f"the task would have {len(different)} labels, but may have {self.labels}: give fewer, or "
                "start the server with a higher --max-labels"
            )

    def check_characters(self, texts: Iterable[Text]) -> None:
        """Check the total length of texts.

        Args:
            texts: All texts, or lists of words, of a request.

        Raises:
            ValueError: Together they are too long.
        """
        # Every word costs the encoder time, however short it is: the space before it is counted as well.
        total = sum(
            len(text) if isinstance(text, str) else sum(len(word) + 1 for word in text) for text in texts
        )
        if total > self.characters:
            raise ValueError(
                f"{total} characters of texts, but a request may have {self.characters}: send them in "
                "several requests, or start the server with a higher --max-characters"
            )


def _type_of(tag: object) -> str:
    """The type of a tag such as `B-person`; of anything else its text."""
    text = str(tag)
    return text[2:] if text[:2] in ("B-", "I-") else text


class BodyLimit:
    """Middleware that answers 413 as soon as the body of a request is longer than ``max_bytes``.

    Args:
        app: The application that requests are forwarded to.
        max_bytes: Limit of bytes in a body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes that arrive; the Content-Length header is not trusted."""
        num_bytes = 0

        async def counting_receive() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            if num_bytes > self.max_bytes:
                raise HTTPException(
                    413,
                    f"the body has more than {self.max_bytes} bytes: send it in several requests, or start "
                    "the server with a higher --max-characters",
                    headers={"Connection": "close"},
                )
            return message

        await self.app(scope, counting_receive if scope["type"] == "http" else receive, send)
