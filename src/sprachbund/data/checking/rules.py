"""What data has to keep to, beside what always holds."""

from dataclasses import dataclass

from sprachbund.data.checking.texts import Alphabet, TextRules
from sprachbund.tokens.phone_labels import UnitLabels
from sprachbund.tokens.text import TextTokenizer


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Expectations of a check; what is None is not asked."""

    rate: int | None = None  # of the recordings, in hertz
    max_seconds: float | None = None  # of a cut; held-out ones may be longer
    max_characters: int | None = None  # of a text; held-out ones may be longer
    tokenizer: TextTokenizer | None = None  # knows every character
    units: UnitLabels | None = None  # that of all labels
    is_quick: bool = False  # believe the headers of recordings, and leave arrays of units closed
    jobs: int = 1  # processes

    def of_training_texts(self, held_out: frozenset[str]) -> TextRules:
        """For texts that are trained on; `held_out` is what `comparable` gives."""
        return TextRules(max_characters=self.max_characters, alphabet=self._alphabet(), held_out=held_out)

    def of_held_out_texts(self) -> TextRules:
        """For texts that are not."""
        return TextRules(alphabet=self._alphabet())

    def describe(self) -> list[str]:
        """In words, so that nobody takes for checked what was not."""
        told = [
            "recordings: headers only" if self.is_quick else "recordings: decoded in full",
            "rate: any" if self.rate is None else f"rate: {self.rate} Hz",
            "characters: any" if self.tokenizer is None else "characters: those of the vocabulary",
            "units: of one model, where there are any"
            if self.units is None
            else f"units: fingerprint {self.units.fingerprint[:16]}",
        ]
        if self.max_seconds is not None:
            told.append(f"cuts: up to {self.max_seconds} s")
        if self.max_characters is not None:
            told.append(f"texts: up to {self.max_characters} characters")
        return told

    def _alphabet(self) -> Alphabet | None:
        return None if self.tokenizer is None else Alphabet(self.tokenizer)
