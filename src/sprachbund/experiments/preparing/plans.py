"""What is prepared, of what, and how: choices only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sprachbund.errors import RecipeError
from sprachbund.experiments.labelling import name_of
from sprachbund.tokens.phone_labels import PhoneLabels

Kind = Literal["speechlm-p", "speechlm-h", "speechut"]
Size = Literal["tiny", "small", "base", "large"]


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Speech and text."""

    speech: tuple[Path, ...]  # manifests to pre-train on; their transcripts are not read
    text: tuple[str, ...]  # sources of English text, as `open_text` takes them
    paired: tuple[Path, ...] = ()  # manifests of the little speech whose transcripts are read
    valid: tuple[Path, ...] = ()  # manifests of held-out speech to validate on; their transcripts are validation text
    held_out: tuple[Path, ...] = ()  # further manifests whose transcripts are kept out of the text

    def __post_init__(self) -> None:
        if not self.speech or not self.text:
            given = f"{len(self.speech)} manifests of speech, {len(self.text)} sources of text"
            raise RecipeError("speech or text is missing", given=given, mend="Give --speech MANIFEST and --text FILE.")
        names = [name_of(manifest) for manifest in (*self.speech, *self.valid)]
        if len(set(names)) < len(names):
            mend = "Give each manifest once; those of one name lie in folders of different names."
            raise RecipeError("two manifests have one name", given=", ".join(names), mend=mend)


@dataclass(frozen=True, kw_only=True)
class CommonPlan:
    """What all plans choose."""

    sources: Sources
    size: Size = "tiny"
    tokenizer: Path | None = None  # folder of the letters' tokenizer; None trains one on the text
    overrides: tuple[str, ...] = ()  # of the recipe of the model that is trained on the paired part
    seed: int = 0  # of units, and of what is drawn for text
    jobs: int = 1


@dataclass(frozen=True, kw_only=True)
class PhonePlan(CommonPlan):
    """SpeechLM-P: the phones of all speech and of text.

    The phones of speech are those that a phone model hears: a given one, or one that is trained on the paired part.
    With `decode` PocketSphinx hears them instead, and aligns the paired part where it comes.
    """

    kind: Literal["speechlm-p"] = "speechlm-p"
    phone_model: Path | None = None
    recipe: str = "hubert_tiny_phones"  # of the phone model that is trained
    encoder: Path | None = None  # model folder that it begins with; None begins with random weights
    decode: bool = False
    word_positions: bool = False
    rate: int = 100  # labels a second

    def __post_init__(self) -> None:
        PhoneLabels(self.word_positions, self.rate)  # which knows the rates
        if self.decode and (self.phone_model is not None or self.encoder is not None or self.word_positions):
            raise RecipeError(
                "PocketSphinx decodes without a phone model, and plain phones only",
                given="--decode with --phone-model, --encoder or --word-positions",
                mend="Leave one of them out.",
            )


@dataclass(frozen=True, kw_only=True)
class UnitPlan(CommonPlan):
    """SpeechLM-H, SpeechUT: hidden units of all speech, and what a text-to-unit model makes of text.

    SpeechUT reads the units of text without repetitions, and the units of speech as lines of their own too.
    """

    kind: Literal["speechlm-h", "speechut"]
    units: Path | None = None  # folder of the unit model; None fits one
    num_units: int = 500  # of the one that is fitted
    encoder: Path | None = None  # whose layer the units are of; None for MFCC
    layer: int | None = None  # of the encoder, for the units that are fitted
    text_to_unit: Path | None = None  # model folder; None trains one on the paired part
    recipe: str = "text_to_unit_tiny"  # of the one that is trained

    def __post_init__(self) -> None:
        if self.units is not None and self.layer is not None:
            mend = "Leave --layer out: a unit model names its layer."
            raise RecipeError("given units have their layer", given="--units and --layer", mend=mend)


Plan = PhonePlan | UnitPlan
