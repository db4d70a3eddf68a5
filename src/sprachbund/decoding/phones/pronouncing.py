"""Guesses of pronunciations by a model that reads letters and writes phones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

import sprachbund
from sprachbund.checkpoints.store import load_model, weights_fingerprint
from sprachbund.decoding.sequence import generate
from sprachbund.errors import CheckpointError
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.models.table import build_text_model
from sprachbund.shapes import Int, Tensor
from sprachbund.tokens.lexicon import Phones
from sprachbund.tokens.phones import PHONES, phone_vocabulary
from sprachbund.tokens.pronunciation import FingerprintedGuess, letters_of
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import PAD

SHIPPED = Path(sprachbund.__file__).parent / "pretrained" / "g2p"
BATCH = 256  # words
SPARE_PHONES, PHONES_A_LETTER = 4, 2  # more than words have that are no abbreviations


@dataclass(frozen=True)
class GuessedPronunciations:
    """The guesses of the model in a folder; what is sent to other processes is the folder's name.

    Words are guessed alike whatever other words are asked for with them.
    """

    folder: Path
    fingerprint: str  # of the weights

    @classmethod
    def load(cls, folder: Path) -> "GuessedPronunciations":
        """The model of a folder.

        Raises:
            CheckpointError: it holds no sound model from letters to phones.
        """
        return cls(folder, weights_fingerprint(_loaded(folder)[0].state_dict()))

    def __call__(self, words: Sequence[str]) -> list[Phones]:
        """The phones of each word; none of a word without a letter of the Latin alphabet."""
        model, tokenizer = _loaded(self.folder)
        letters = [letters_of(word) for word in words]
        # Words of like length together, so that little is padded.
        order = sorted((place for place, spelled in enumerate(letters) if spelled), key=lambda place: letters[place])
        order.sort(key=lambda place: len(letters[place]))
        found: list[Phones] = [()] * len(words)
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            for place, phones in zip(places, _guess(model, tokenizer, [letters[n] for n in places]), strict=True):
                found[place] = phones
        return found


def load_guess(folder: Path | None = None) -> FingerprintedGuess:
    """The guesses of the model in `folder`; where none is given, of the one that comes with the package.

    Raises:
        CheckpointError: the folder holds no sound model from letters to phones.
    """
    return GuessedPronunciations.load(SHIPPED if folder is None else folder)


@cache
def _loaded(folder: Path) -> tuple[SequenceModel, TextTokenizer]:
    stored = load_model(folder)
    model = build_text_model(stored, str(folder))
    num_phones = len(phone_vocabulary(places=False))
    is_fitting = isinstance(model, SequenceModel) and model.config.num_targets == num_phones
    if not isinstance(model, SequenceModel) or stored.tokenizer is None or not is_fitting:
        raise CheckpointError(
            "this model does not write phones of words",
            where=folder,
            given=f"{stored.kind}, {stored.facts.get('stage', 'unknown stage')}",
            mend="Name a model folder of `sprachbund tokens train-g2p`.",
        )
    return model, stored.tokenizer


def _guess(model: SequenceModel, tokenizer: TextTokenizer, spelled: Sequence[str]) -> list[Phones]:
    """The phones of words of letters."""
    vocabulary = phone_vocabulary(places=False)
    limits = [SPARE_PHONES + PHONES_A_LETTER * len(letters) for letters in spelled]
    written = generate(model, *_rows([tokenizer.encode(letters) for letters in spelled]), limits)
    # The vocabulary has silence too, which is in no word.
    return [tuple(phone for phone in map(vocabulary.symbol_of, row.tokens) if phone in PHONES) for row in written]


def _rows(ids: Sequence[Sequence[int]]) -> tuple[Int[Tensor, "batch token"], Int[Tensor, " batch"]]:
    lengths = torch.tensor([len(row) for row in ids])
    tokens = torch.full((len(ids), int(lengths.max())), PAD)
    for number, row in enumerate(ids):
        tokens[number, : len(row)] = torch.tensor(row)
    return tokens, lengths
