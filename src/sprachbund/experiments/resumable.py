"""Stages of long work that are done once: each leaves a note of what it was made of and of what came out."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sprachbund.errors import RecipeError, SprachbundError
from sprachbund.files import write_atomically

SUFFIX = ".stage.json"


@dataclass(frozen=True)
class Stage:
    """What a stage is made of, and the note that it leaves when it is finished.

    Args:
        note: the file, ``NAME.stage.json``.
        made_of: every choice and the fingerprints of all inputs, in plain values.
        say: is told how it goes.
    """

    note: Path
    made_of: dict[str, Any]
    say: Callable[[str], None]

    def is_done(self, fingerprint: Callable[[], str]) -> bool:
        """Whether it was finished with the same choices, and its result is what it was then.

        Raises:
            RecipeError: it was finished with other choices.
        """
        name = f"{self.note.parent.name}, {self.note.name.removesuffix(SUFFIX)}"
        try:
            found = json.loads(self.note.read_text("utf-8"))
            before, result = dict(found["made_of"]), found["result"]
        except FileNotFoundError:
            self.say(f"{name}: begins")
            return False
        except (OSError, ValueError, KeyError, TypeError):
            before, result = self._plain(), None
        mine = self._plain()
        different = sorted(key for key in {*mine, *before} if mine.get(key) != before.get(key))
        if different:
            raise RecipeError(
                "this folder holds work of other choices",
                where=self.note,
                given=f"different: {', '.join(different)}",
                mend="Give the same inputs and options again, or another folder.",
            )
        try:
            is_same = bool(fingerprint() == result)
        except (OSError, SprachbundError):
            is_same = False
        self.say(f"{name}: {'already there' if is_same else 'its result was changed, and is made again'}")
        return is_same

    def finish(self, result: str) -> None:
        """Note that it is finished."""
        with write_atomically(self.note, "w") as handle:
            handle.write(json.dumps({"made_of": self.made_of, "result": result}, indent=1) + "\n")

    def _plain(self) -> dict[str, Any]:
        # As it comes back from a file: lists for tuples.
        return dict(json.loads(json.dumps(self.made_of)))
