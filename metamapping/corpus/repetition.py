"""Repetition: detects texts that repeat lines or n-grams, by the rules of Gopher.

The rules and their thresholds are those of Rae et al. 2021, "Scaling Language Models: Methods, Analysis
& Insights from Training Gopher" (arXiv 2112.11446), table A1. They are meant for documents: texts with
fewer than ``MIN_WORDS`` words pass, because short texts repeat words by chance ("no, no, no").

    is_repetitive("buy now " * 30)     # True
"""

from __future__ import annotations

from collections import Counter
from itertools import islice

MIN_WORDS = 50
MAX_DUPLICATE_LINES = 0.30
MAX_DUPLICATE_LINE_CHARACTERS = 0.20
# The largest share of characters in the most frequent n-gram, and in n-grams that occur again, by n.
MAX_TOP_NGRAM = {2: 0.20, 3: 0.18, 4: 0.16}
MAX_DUPLICATE_NGRAMS = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


def is_repetitive(text: str) -> bool:
    """Whether any of the rules rejects a text.

    Args:
        text: A cleaned text.
    """
    words = text.split()
    if len(words) < MIN_WORDS:
        return False
    num_characters = sum(map(len, words))
    if "\n" in text and _repeats_lines(text):
        return True
    for n, most in MAX_TOP_NGRAM.items():
        (ngram, count), *_ = Counter(_ngrams(words, n)).most_common(1)
        if count > 1 and count * sum(map(len, ngram)) > most * num_characters:
            return True
    if len(set(_ngrams(words, 5))) == len(words) - 4:
        return False  # Longer n-grams cannot occur twice either.
    return any(
        _duplicate_characters(words, n) > most * num_characters for n, most in MAX_DUPLICATE_NGRAMS.items()
    )


def _repeats_lines(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    counts = Counter(lines)
    repeated = sum(count - 1 for count in counts.values())
    characters = sum((count - 1) * len(line) for line, count in counts.items())
    return repeated > MAX_DUPLICATE_LINES * len(lines) or characters > MAX_DUPLICATE_LINE_CHARACTERS * len(
        text
    )


def _duplicate_characters(words: list[str], n: int) -> int:
    """The number of characters in n-grams that occurred before, each word counted once."""
    seen: set[tuple[str, ...]] = set()
    duplicate, place = 0, 0
    ngrams = list(_ngrams(words, n))
    while place < len(ngrams):
        ngram = ngrams[place]
        if ngram in seen:
            duplicate += sum(map(len, ngram))
            place += n
        else:
            seen.add(ngram)
            place += 1
    return duplicate


def _ngrams(words: list[str], n: int) -> zip[tuple[str, ...]]:
    return zip(*(islice(words, i, None) for i in range(n)), strict=False)
