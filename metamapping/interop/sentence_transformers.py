"""sentence-transformers' format: which modules turn a text into a feature, and how long a text may be.

``SentenceTransformer(folder).encode(texts)`` then returns the first view that a mapping sees: the mean of
the token states at unit length. Texts should be clean already, since cleaning is not part of the modules.

    write_modules(folder, feature_dim=384, max_length_tokens=64)
"""

from __future__ import annotations

from pathlib import Path

from metamapping.storage.manifest import write_json

# Path and class of each module. Releases since 2 know these class names; newer ones have others as well.
_MODULES = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))


def write_modules(folder: Path, *, feature_dim: int, max_length_tokens: int) -> None:
    """Write ``modules.json`` and the settings of each module.

    Args:
        folder: Where the encoder's own files are; it must not have the modules' folders yet.
        feature_dim: Width of the token states.
        max_length_tokens: Texts are truncated to this many tokens.
    """
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
    # Normalize has no settings, but in a repository a folder exists only if it contains a file.
    (folder / "2_Normalize").mkdir()
    write_json(folder / "2_Normalize" / "config.json", {})
