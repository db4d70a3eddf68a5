"""Settings of a search in a file: what `sprachbund tune-decoding` writes and `--settings` reads.

Paths of language models and lexicons are relative to the file, so that a folder that holds all of them may be moved.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from sprachbund.config import from_mapping, to_mapping
from sprachbund.decoding.recognition.config import COMMON, DecodingConfig
from sprachbund.errors import RecipeError
from sprachbund.files import write_atomically

KEY = "settings"
_MEND = "Write it with `sprachbund tune-decoding`, or give the options themselves."


def read_settings(path: Path) -> DecodingConfig:
    """The settings of a file; what else it tells (figures, trials) is for people.

    Raises:
        RecipeError: it is missing, is no such file, or holds settings that no search has.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise RecipeError("the settings cannot be read", where=path, given=error.strerror, mend=_MEND) from None
    except (ValueError, RecursionError) as error:
        raise RecipeError("the settings are no JSON", where=path, given=error, mend=_MEND) from None
    settings = content.get(KEY) if isinstance(content, dict) else None
    if not isinstance(settings, dict):
        raise RecipeError(f"the file has no {KEY}", where=path, given=type(content).__name__, mend=_MEND)
    try:
        config = from_mapping(DecodingConfig, settings, path)
    except RecipeError as error:
        given = RecipeError(error.what, where=path, given=error.given, mend=error.mend)
        raise given from None
    return _with_paths(config, lambda name: os.path.normpath(path.parent / name))


def write_settings(path: Path, config: DecodingConfig, facts: Mapping[str, Any]) -> None:
    """Write settings and what is to be told of them, whole or not at all."""
    folder = path.parent.resolve()
    relative = _with_paths(config, lambda name: os.path.relpath(Path(name).resolve(), folder))
    # What is usual is left out, and so is what belongs to a machine and not to a model.
    kept = {field.name for field in fields(config) if getattr(config, field.name) not in (None, ())}
    settings = {name: value for name, value in to_mapping(relative).items() if name in kept - set(COMMON[1:])}
    with write_atomically(path, mode="w") as handle:
        json.dump({KEY: settings, **facts}, handle, indent=2, ensure_ascii=False)
        handle.write("\n")


def _with_paths(config: DecodingConfig, change: Callable[[str], str]) -> DecodingConfig:
    models = tuple(replace(model, path=change(model.path)) for model in config.language_models)
    lexicon = None if config.lexicon is None else change(config.lexicon)
    return replace(config, language_models=models, lexicon=lexicon)
