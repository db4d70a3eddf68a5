"""Recipes of tiny language models, for tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tiny
from models.language_model.sizes import small_config
from sprachbund.config import to_mapping


def language_recipe(folder: Path, text: Mapping[str, Any] | None = None, **run: Any) -> dict[str, Any]:
    """Plain values of a recipe of the task language modeling, with its text and tokenizer written below `folder`.

    Args:
        folder: to write to.
        text: changes of the part of the text.
        run: changes of the run.
    """
    tiny.character_tokenizer().save(folder / "tokenizer")
    changes = {name: value for name, value in to_mapping(small_config()).items() if name != "vocab_size"}
    sources = {
        "train": [str(tiny.write_text(folder / "train"))],
        "valid": [str(tiny.write_text(folder / "valid", tiny.TEXTS))],
        "batch_tokens": 40,
    }
    every = {"log_every": 1, "validate_every": 3, "checkpoint_every": 3}
    return {
        "task": "language_modeling",
        "model": {"size": "tiny", "changes": changes},
        "tokenizer": str(folder / "tokenizer"),
        "text": {**sources, **(text or {})},
        "optimization": {"schedule": {"kind": "tri_stage", "peak": 1e-3, "total_steps": 20}},
        "run": {"seed": 3, "steps": 6, "loader_workers": 0, **every, **run},
    }
