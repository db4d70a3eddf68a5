"""Which words of a hypothesis stand for which words of its reference, for people who look at errors."""

from dataclasses import dataclass
from typing import Literal, cast

EditKind = Literal["equal", "substitute", "insert", "delete"]


@dataclass(frozen=True)
class AlignedWords:
    """A run of words with one kind of edit."""

    kind: EditKind
    reference: str  # empty at an insertion
    hypothesis: str  # empty at a deletion


def align_words(reference: str, hypothesis: str) -> tuple[AlignedWords, ...]:
    """The fewest word edits that turn the reference into the hypothesis, in reading order."""
    import jiwer

    wanted, heard = reference.split(), hypothesis.split()
    output = jiwer.process_words(" ".join(wanted), " ".join(heard))
    return tuple(
        AlignedWords(
            kind=cast(EditKind, chunk.type),
            reference=" ".join(wanted[chunk.ref_start_idx : chunk.ref_end_idx]),
            hypothesis=" ".join(heard[chunk.hyp_start_idx : chunk.hyp_end_idx]),
        )
        for chunk in output.alignments[0]
    )
