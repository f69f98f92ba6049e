"""The tokenizer's files that each library expects, derived from the one ``tokenizer.json``.

``tokenizers`` and ``transformers`` read ``tokenizer.json``; KerasHub reads ``vocab.txt`` (WordPiece) or
``vocab.json`` and ``merges.txt`` (byte-level BPE), and takes the letter case from ``tokenizer_config.json``.

    complete_tokenizer(folder, max_length_tokens=64)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from metamapping.storage.manifest import write_json

TOKENIZER, CONFIG = "tokenizer.json", "tokenizer_config.json"


def complete_tokenizer(folder: Path, *, max_length_tokens: int) -> None:
    """Write the files that are missing next to ``tokenizer.json``, and the maximum length of texts.

    A tokenizer without a padding token (GPT-2) pads with its end token, since padding is masked anyway.

    Args:
        folder: Has ``tokenizer.json`` and ``tokenizer_config.json``; the latter is changed.
        max_length_tokens: Texts are truncated to this many tokens.
    """
    tokenizer = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    model = tokenizer["model"]
    config["model_max_length"] = max_length_tokens
    if config.get("pad_token") is None and config.get("eos_token") is not None:
        config["pad_token"] = config["eos_token"]
    if model["type"] == "WordPiece":
        config["do_lower_case"] = bool((tokenizer["normalizer"] or {}).get("lowercase", False))
        _write_lines(folder / "vocab.txt", _tokens_by_id(tokenizer))
    elif model["type"] == "BPE":
        write_json(folder / "vocab.json", {token: i for i, token in enumerate(_tokens_by_id(tokenizer))})
        merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
        _write_lines(folder / "merges.txt", ["#version: 0.2", *merges])
    write_json(folder / CONFIG, config)


def _tokens_by_id(tokenizer: dict[str, Any]) -> list[str]:
    """All tokens in the order of their ids, including those that were added later."""
    ids: dict[str, int] = dict(tokenizer["model"]["vocab"])
    ids |= {added["content"]: added["id"] for added in tokenizer["added_tokens"]}
    return sorted(ids, key=ids.__getitem__)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
