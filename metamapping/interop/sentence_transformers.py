"""sentence-transformers' door: which modules make a feature of a text, and how long a text may be.

``SentenceTransformer(folder).encode(texts)`` is then the features that a mapping sees: the mean of
the token states at unit length. Its texts should be clean already: cleaning is not part of it.

    write_modules(folder, feature_dim=384, max_length_tokens=64)
"""

from __future__ import annotations

from pathlib import Path

from metamapping.storage.manifest import write_json

# The names of all releases since 2; newer ones know them as well as their own.
_MODULES = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))


def write_modules(folder: Path, *, feature_dim: int, max_length_tokens: int) -> None:
    """Write ``modules.json`` and each module's settings beside the encoder's own files."""
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
        for i, (path, name) in enumerate(_MODULES)
    ]
    pooling = {
        "word_embedding_dimension": feature_dim,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    write_json(folder / "modules.json", modules)
    write_json(
        folder / "sentence_bert_config.json", {"max_seq_length": max_length_tokens, "do_lower_case": False}
    )
    (folder / "1_Pooling").mkdir()
    write_json(folder / "1_Pooling" / "config.json", pooling)
    # Its release reads no settings of this one; a folder of a repository must hold a file to exist.
    (folder / "2_Normalize").mkdir()
    write_json(folder / "2_Normalize" / "config.json", {})
