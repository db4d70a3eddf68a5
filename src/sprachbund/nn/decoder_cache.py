"""What incremental decoding keeps: keys and values of the memory, once an utterance, and of earlier positions."""

from collections.abc import Sequence

import torch
from torch import nn

from sprachbund.nn.attention import KeysValues
from sprachbund.nn.past import Past
from sprachbund.nn.row_groups import RowGroups
from sprachbund.shapes import Bool, Int, Tensor


class DecoderCache:
    """Keys and values of every layer. It begins with one row an utterance.

    The rows of an utterance look at the same memory: their queries are put side by side, and nothing of the memory is
    copied for them.

    Args:
        layers: the layers that take steps.
        memories: keys and values of the memory, one pair a layer.
        memory_padding: True at padding of the memory.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        memories: Sequence[KeysValues],
        memory_padding: Bool[Tensor, "utterance frame"] | None,
    ) -> None:
        self.layers = layers
        self.memories = list(memories)
        self.memory_mask: Bool[Tensor, "utterance 1 1 frame"] | None = None
        """True where a frame is seen; None where all are."""
        if memory_padding is not None and bool(memory_padding.any()):
            # What is padding throughout is looked at as it is, so that the result is finite.
            self.memory_mask = ~(memory_padding & ~memory_padding.all(dim=1, keepdim=True))[:, None, None]
        keys = self.memories[0].keys
        utterances = torch.arange(len(keys), device=keys.device)
        self.past = Past(RowGroups.of(utterances, len(keys)), len(layers))

    @property
    def length(self) -> int:
        """Positions of every row so far."""
        return self.past.length

    @property
    def groups(self) -> RowGroups:
        """Rows by utterance."""
        return self.past.groups

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Go on with the rows that `rows` names, in that order; a row may be named several times or not at all."""
        old = self.groups
        if len(rows) == len(old.utterances) and torch.equal(rows, torch.arange(len(rows), device=rows.device)):
            return
        utterances, num_utterances, kept = old.utterances[rows], old.num_utterances, None
        present = torch.unique(utterances)
        # Leaving an utterance out copies all others; until half are gone it costs less to look at it in vain.
        if 2 * len(present) <= num_utterances:
            kept, num_utterances = present, len(present)
            utterances = torch.searchsorted(present, utterances)
            self._keep(kept)
        self.past.reorder(rows, RowGroups.of(utterances, num_utterances), kept)

    def _keep(self, utterances: Int[Tensor, " kept"]) -> None:
        self.memories = [KeysValues(*(part.index_select(0, utterances) for part in one)) for one in self.memories]
        if self.memory_mask is not None:
            self.memory_mask = self.memory_mask.index_select(0, utterances)
