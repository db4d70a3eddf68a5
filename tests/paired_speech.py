"""Clips of a second whose phones and units are both known, and recipes that learn from them; shared by tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lhotse import CutSet
from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

import tiny
from sprachbund.data.phones import PHONE
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.data.units import attach_units
from sprachbund.tokens.phones import PHONES, SILENCE, with_places

TEXT_TO_UNIT_SIZE = {
    "encoder": {"dim": 16, "ffn_dim": 16, "kernel": 3, "num_layers": 1},
    "decoder": {"dim": 16, "ffn_dim": 16, "kernel": 3, "num_layers": 1},
    "predictor": {"dim": 8},
}
_STACK = {"dim": 16, "ffn_dim": 16, "num_layers": 1, "num_heads": 2}
# Two of them: YAML would write one as an alias.
SEQUENCE_SIZE = {"encoder": dict(_STACK), "decoder": dict(_STACK)}
LEXICON = "".join(
    f"{word}  {' '.join(PHONES[ord(letter) % len(PHONES)] for letter in word)}\n"
    for word in (f"{first}{middle}{last}" for first in "abcdef" for middle in "aeiou" for last in "klmnopq")
)


def aligned(cut: Cut, items: Sequence[tuple[str, float, float]], **custom: Any) -> Cut:
    """The cut with these phones (symbol, start, end) on its supervision, and these custom fields."""
    found = [AlignmentItem(symbol, start, round(end - start, 8)) for symbol, start, end in items]
    [said] = cut.supervisions
    return fastcopy(cut, supervisions=[fastcopy(said, alignment={PHONE: found}, custom=custom or None)])


def evenly_aligned(cut: Cut, *, places: bool = False, **custom: Any) -> Cut:
    """Silence, then a phone for each letter of the transcript, all equally long."""
    phones = [PHONES[ord(letter) % len(PHONES)] for letter in cut.supervisions[0].text.replace(" ", "")]
    symbols = (SILENCE, *(with_places(phones) if places else phones))
    step = cut.duration / len(symbols)
    times = [round(step * number, 3) for number in range(len(symbols))] + [cut.duration]
    return aligned(cut, list(zip(symbols, times, times[1:], strict=False)), **custom)


def paired_cuts(folder: Path, num_clips: int = 8, name: str = "clip", **alignment: Any) -> CutSet:
    """Aligned and labelled by `tiny.unit_model`, 100 units a second."""
    cuts = CutSet.from_cuts([evenly_aligned(cut, **alignment) for cut in tiny.make_cuts(folder, num_clips, name=name)])
    return attach_units(cuts, tiny.unit_model(), folder / "units")


def write_paired(folder: Path, num_clips: int = 8, name: str = "clip", **alignment: Any) -> Path:
    """The manifest of `paired_cuts`."""
    path = folder / f"{name}.jsonl.gz"
    write_cuts(paired_cuts(folder, num_clips, name, **alignment), path)
    return path


def paired_recipe(folder: Path, task: str, **run: Any) -> dict[str, Any]:
    """Plain values of a recipe of the task text_to_unit or unit_generation, with its speech written below `folder`."""
    tiny.unit_model().save(folder / "unit-model")
    changes = TEXT_TO_UNIT_SIZE if task == "text_to_unit" else SEQUENCE_SIZE
    return {
        "task": task,
        "model": {"size": "tiny", "changes": changes},
        "paired": {
            "units": str(folder / "unit-model"),
            "train": [str(write_paired(folder / "speech", 8, "train"))],
            "valid": [str(write_paired(folder / "speech", 2, "valid"))],
            "batch_units": 250,
        },
        **_common(run),
    }


def pronunciation_recipe(folder: Path, **run: Any) -> dict[str, Any]:
    """Plain values of a recipe of the task pronunciation, with a lexicon of 210 words written below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lexicon.dict"
    path.write_text(LEXICON, "utf-8")
    return {
        "task": "pronunciation",
        "model": {"size": "tiny", "changes": SEQUENCE_SIZE},
        "words": {"lexicon": str(path), "batch_tokens": 200},
        **_common(run),
    }


def _common(run: dict[str, Any]) -> dict[str, Any]:
    every = {"log_every": 1, "validate_every": 3, "checkpoint_every": 3}
    return {
        "optimization": {"schedule": {"kind": "tri_stage", "peak": 1e-3, "total_steps": 20}},
        "run": {"seed": 3, "steps": 6, "loader_workers": 0, **every, **run},
    }
