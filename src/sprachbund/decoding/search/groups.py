"""Rows of one utterance beside each other: how a step of the search sees them as (utterance, slot)."""

from dataclasses import dataclass

import torch

from sprachbund.shapes import Float, Int, Tensor


@dataclass(frozen=True)
class Groups:
    """Which rows belong together; rows of one utterance are neighbours."""

    utterances: Int[Tensor, " group"]  # the utterance of each group, in the order of the rows
    starts: Int[Tensor, " group"]  # its first row
    group: Int[Tensor, " row"]  # the group of each row
    width: int  # rows of the largest group

    @staticmethod
    def of(utterances: Int[Tensor, " row"]) -> "Groups":
        """The groups of rows that belong to these utterances."""
        present, group, counts = torch.unique_consecutive(utterances, return_inverse=True, return_counts=True)
        return Groups(present, counts.cumsum(0) - counts, group, int(counts.max()) if len(counts) else 0)

    def slots(self) -> Int[Tensor, " row"]:
        """The place of each row in its group."""
        return torch.arange(len(self.group), device=self.group.device) - self.starts[self.group]

    def spread(self, values: Float[Tensor, "row part"], fill: float) -> Float[Tensor, "group slot part"]:
        """The values of the rows, `fill` where a group has no further row."""
        shape = (len(self.starts), self.width, values.shape[1])
        if shape[0] * shape[1] == len(values):
            return values.view(shape)
        table = values.new_full(shape, fill)
        table[self.group, self.slots()] = values
        return table

    def gather(self, table: Float[Tensor, "group slot part"]) -> Float[Tensor, "row part"]:
        """The rows of a table, as `spread` put them there."""
        return table[self.group, self.slots()]
