"""Rows that share something, such as the hypotheses of one utterance, as a table of groups and slots."""

from dataclasses import dataclass

import torch

from sprachbund.shapes import Float, Int, Tensor


@dataclass(frozen=True)
class RowGroups:
    """Which utterance each row belongs to, and its place in a table (utterance, slot)."""

    utterances: Int[Tensor, " row"]
    places: Int[Tensor, " row"]
    """Utterance times `num_slots`, plus slot."""
    num_utterances: int
    num_slots: int
    """Most rows of one utterance; other utterances leave slots empty."""
    is_table: bool
    """The rows are the table as they stand: no slot is empty, and the order is the same."""

    @classmethod
    def of(cls, utterances: Int[Tensor, " row"], num_utterances: int) -> "RowGroups":
        """Groups of rows in any order; an utterance may have none."""
        counts = torch.bincount(utterances, minlength=num_utterances)
        starts = counts.cumsum(0) - counts
        order = utterances.argsort(stable=True)
        numbers = torch.arange(len(utterances), device=utterances.device)
        slots = torch.empty_like(utterances)
        slots[order] = numbers - starts[utterances[order]]
        num_slots = int(counts.max()) if len(utterances) else 0
        places = utterances * num_slots + slots
        is_table = len(places) == num_utterances * num_slots and torch.equal(places, numbers)
        return cls(utterances, places, num_utterances, num_slots, is_table)

    def spread(
        self, values: Float[Tensor, "row head position dim"]
    ) -> Float[Tensor, "utterance head slot_position dim"]:
        """All rows of an utterance side by side, slot by slot; zeros where a slot is empty."""
        values = values.transpose(1, 2)  # -> row position head dim
        if not self.is_table:
            table = values.new_zeros(self.num_utterances * self.num_slots, *values.shape[1:])
            table[self.places] = values
            values = table
        length = self.num_slots * values.shape[1]
        return values.reshape(self.num_utterances, length, *values.shape[2:]).transpose(1, 2)

    def collect(
        self, values: Float[Tensor, "utterance head slot_position dim"]
    ) -> Float[Tensor, "row head position dim"]:
        """What `spread` was given, from where it put it."""
        values = values.transpose(1, 2)
        length = values.shape[1] // max(self.num_slots, 1)
        values = values.reshape(self.num_utterances * self.num_slots, length, *values.shape[2:])
        if not self.is_table:
            values = values.index_select(0, self.places)
        return values.transpose(1, 2)
