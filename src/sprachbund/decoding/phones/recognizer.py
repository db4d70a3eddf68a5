"""Phones of speech without a transcript, by the frames of a phone model."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import torch
from lhotse.cut import Cut

from sprachbund.data.aligning.results import Finding, Outcome
from sprachbund.data.phones import PHONE
from sprachbund.data.workers import in_processes
from sprachbund.decoding.phones.graphs import Piece, without_blanks
from sprachbund.decoding.phones.loop import LoopCosts, loop_paths
from sprachbund.decoding.phones.model import PhoneModel, known_phone_model, load_phone_model
from sprachbund.decoding.phones.phonotactics import Phonotactics
from sprachbund.decoding.phones.tasks import Heard, Task, find_in_group, in_groups, side_by_side, timed
from sprachbund.decoding.viterbi import runs
from sprachbund.errors import RecipeError
from sprachbund.shapes import Array, Int

# Chosen on Steel Sky dev (docs/phonemes.md): the weight of how frequent a phone is, that is divided out; of which phone
# follows which; the price of a phone; and the frames that one lasts at least.
SHARE, FOLLOWING, PRICE, MIN_FRAMES = 0.3, 1.0, 0.0, 2


@dataclass(frozen=True)
class PhoneRecognizer:
    """Phones without a transcript: of a frame classifier by a loop of phones, of CTC by its likeliest path.

    Whatever transcripts the cuts have, they are not read; the phones found take the place of an alignment, and are
    marked as decoded.

    Args:
        folder: of the phone model.
        aligned: cuts with phones, which tell a frame classifier which phone follows which; not for CTC.

    Raises:
        CheckpointError: the folder holds no phone model.
        RecipeError: alignments are given for CTC, or none for a frame classifier.
        DataError: the alignments have no phones, or others than the model.
    """

    folder: Path
    aligned: Sequence[Cut] | None = None
    _model: str = field(init=False, repr=False)  # its fingerprint
    _phonotactics: Phonotactics | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        model = load_phone_model(self.folder)
        if model.is_ctc != (self.aligned is None):
            raise RecipeError(
                "a model of CTC needs no alignments, and another one needs them",
                where=self.folder,
                given="alignments" if model.is_ctc else "no alignments",
                mend="Leave --aligned out." if model.is_ctc else "Give --aligned, the alignments it was trained on.",
            )
        found = None if self.aligned is None else Phonotactics.of(self.aligned, model.symbols)
        object.__setattr__(self, "_model", model.fingerprint)
        object.__setattr__(self, "_phonotactics", found)

    @cached_property
    def fingerprint(self) -> str:
        """Of weights, settings and phonotactics."""
        settings = ["phones without a transcript", self._model, SHARE, FOLLOWING, PRICE, MIN_FRAMES]
        digest = hashlib.sha256(json.dumps(settings).encode())
        if self._phonotactics is not None:
            digest.update(self._phonotactics.following.astype("<f8").tobytes())
        return digest.hexdigest()

    def find(self, cuts: Sequence[Cut], jobs: int) -> Iterator[tuple[Finding, ...]]:
        """A finding for each supervision of each cut, and one for a cut without any."""
        tasks = (Task(cut, ((),) * max(1, len(cut.supervisions))) for cut in cuts)
        decoding = partial(_find_group, self.folder, self._model, self._phonotactics)
        for found in in_processes(decoding, in_groups(tasks), jobs):
            yield from found


def _find_group(
    folder: Path, fingerprint: str, phonotactics: Phonotactics | None, tasks: tuple[Task, ...]
) -> list[tuple[Finding, ...]]:
    """What is found out about some cuts; it depends on each cut alone."""
    model = known_phone_model(folder, fingerprint)
    return find_in_group(model, tasks, partial(_decode, model, phonotactics))


def _decode(model: PhoneModel, phonotactics: Phonotactics | None, heard: Sequence[Heard]) -> list[Finding]:
    if phonotactics is None:
        paths = [one.log_probs.argmax(dim=1).numpy() for one in heard]
    else:
        log_probs, lengths = side_by_side(heard, len(model.symbols))
        shares = torch.from_numpy(phonotactics.share).float()
        paths = loop_paths(log_probs - SHARE * shares, lengths, _costs(phonotactics))
    return [_finding(model, one, path) for one, path in zip(heard, paths, strict=True)]


def _costs(phonotactics: Phonotactics) -> LoopCosts:
    return LoopCosts(
        FOLLOWING * phonotactics.first + PRICE,
        FOLLOWING * phonotactics.following + PRICE,
        FOLLOWING * phonotactics.last,
        MIN_FRAMES,
    )


def _finding(model: PhoneModel, heard: Heard, path: Int[Array, " frame"]) -> Finding:
    if not len(path):
        return Finding(Outcome.NO_TRANSCRIPT, detail="too short to decode phones")
    pieces = [Piece(symbol, None, start, end, symbol == model.silence) for symbol, start, end in runs(path)]
    if model.is_ctc:
        pieces = without_blanks(pieces)
    spans = [(model.symbols[piece.symbol], piece.start, piece.end) for piece in pieces]
    return Finding(Outcome.DECODED, {PHONE: timed(spans, heard.place, model.frame_shift)})
