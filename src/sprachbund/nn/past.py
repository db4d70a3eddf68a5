"""What hypotheses remember of their earlier positions, without copies where they share their beginnings.

Keys and values of an utterance lie in one list, in the order in which they were made, whichever hypothesis made them.
Each hypothesis knows which of them are its own: they are those of its ancestors. A hypothesis that splits in two, or
takes another place in the beam, changes that knowledge alone; what no hypothesis needs is cleared away when the list
is full.
"""

import torch

from sprachbund.nn.attention import KeysValues
from sprachbund.nn.row_groups import RowGroups
from sprachbund.shapes import Bool, Int, Tensor

FIRST_CAPACITY = 32


class Past:
    """Keys and values of the positions so far, of several layers.

    A step is `begin`, then one `append` a layer, then `finish`.

    Args:
        groups: rows by utterance, at the beginning.
        num_layers: how many layers keep something.
    """

    def __init__(self, groups: RowGroups, num_layers: int) -> None:
        self.groups = groups
        self.length = 0
        """Positions of every row."""
        self._size = 0  # entries of every utterance, of which some may be dead
        self._capacity = 0
        self._layers: list[KeysValues | None] = [None] * num_layers
        shape = (groups.num_utterances, groups.num_slots, 0)
        self._seen = torch.zeros(shape, dtype=torch.bool, device=groups.utterances.device)  # utterance slot entry
        self._positions = self._seen.new_zeros(groups.num_utterances, 0, dtype=torch.long)  # utterance entry
        self._is_single = groups.num_slots <= 1  # an utterance has never had two rows, so its row sees all entries
        self._num_new = 0

    def begin(self, num_new: int) -> Bool[Tensor, "utterance 1 slot_position entry"] | None:
        """Make room for `num_new` positions of every row.

        Returns:
            True where a row sees an entry, the new ones included; None where all see all.
        """
        self._num_new = num_new
        needed = self.groups.num_slots * num_new
        if self._size + needed > self._capacity:
            self._make_room(needed)
        if self._is_single and num_new == 1:
            return None
        # slot position -> slot position: those of the same row that are not later.
        slots = torch.arange(needed, device=self._seen.device) // max(num_new, 1)
        own = (slots[:, None] == slots[None]).tril()
        earlier = self._seen.repeat_interleave(num_new, dim=1)
        return torch.cat([earlier, own.expand(len(earlier), -1, -1)], dim=2)[:, None]

    def append(self, layer: int, new: KeysValues) -> KeysValues:
        """Keep what `layer` made of the new positions, by row; give back all of every utterance."""
        spread = KeysValues(self.groups.spread(new.keys), self.groups.spread(new.values))
        stored = self._layers[layer]
        if stored is None:
            utterances, heads, _, dim = spread.keys.shape
            shape = (utterances, heads, self._capacity, dim)
            stored = self._layers[layer] = KeysValues(spread.keys.new_empty(shape), spread.values.new_empty(shape))
        end = self._size + spread.keys.shape[2]
        for kept, part in zip(stored, spread, strict=True):
            kept[:, :, self._size : end] = part
        return KeysValues(stored.keys[:, :, :end], stored.values[:, :, :end])

    def distances(self) -> Int[Tensor, "utterance slot_position entry"]:
        """How many positions before each new one an entry stands, the new ones included; between `begin` and `finish`.

        Where a row does not see an entry, the number has no meaning.
        """
        new = self._new_positions()
        entries = torch.cat([self._positions, new.expand(len(self._positions), -1)], dim=1)
        return new[:, :, None] - entries[:, None, :]

    def finish(self) -> None:
        """The new positions are now earlier ones."""
        self._positions = torch.cat([self._positions, self._new_positions().expand(len(self._positions), -1)], dim=1)
        slots = torch.eye(self.groups.num_slots, dtype=torch.bool, device=self._seen.device)
        own = slots.repeat_interleave(self._num_new, dim=1)
        self._seen = torch.cat([self._seen, own.expand(len(self._seen), -1, -1)], dim=2)
        self._size = self._seen.shape[2]
        self.length += self._num_new

    def reorder(self, rows: Int[Tensor, " row"], groups: RowGroups, kept: Int[Tensor, " kept"] | None) -> None:
        """Go on with these rows.

        Args:
            rows: present rows.
            groups: of the new rows.
            kept: the present utterances that `groups` numbers; None for all.
        """
        seen = self._seen.flatten(0, 1)[self.groups.places[rows]]
        table = seen.new_zeros(groups.num_utterances * groups.num_slots, self._size)
        table[groups.places] = seen
        self._seen = table.view(groups.num_utterances, groups.num_slots, self._size)
        self._is_single = self._is_single and groups.num_slots <= 1
        self.groups = groups
        if kept is not None:
            self._positions = self._positions.index_select(0, kept)
            self._layers = [
                None if layer is None else KeysValues(*(part.index_select(0, kept) for part in layer))
                for layer in self._layers
            ]

    def _new_positions(self) -> Int[Tensor, "1 slot_position"]:
        places = torch.arange(self.groups.num_slots * self._num_new, device=self._seen.device)
        return (self.length + places % max(self._num_new, 1))[None]

    def _make_room(self, needed: int) -> None:
        """Clear away what no row sees if that is half of all, and grow if it is not enough."""
        alive = self._seen.any(dim=1)  # utterance entry
        num_alive = int(alive.sum(dim=1).max()) if alive.numel() else 0
        order: Tensor | None = None
        if self._size and 2 * num_alive <= self._size:
            # Living entries first, in their order; an utterance with fewer of them fills up with dead ones.
            order = alive.int().argsort(dim=1, descending=True, stable=True)[:, :num_alive]
            self._seen = self._seen.gather(2, order[:, None].expand(-1, self._seen.shape[1], -1))
            self._positions = self._positions.gather(1, order)
            self._size = num_alive
        if self._size + needed > self._capacity:
            self._capacity = max(FIRST_CAPACITY, 2 * self._capacity, self._size + needed)
        self._layers = [None if layer is None else self._moved(layer, order) for layer in self._layers]

    def _moved(self, layer: KeysValues, order: Int[Tensor, "utterance entry"] | None) -> KeysValues:
        moved = []
        for part in layer:
            utterances, heads, _, dim = part.shape
            kept = part[:, :, : self._size]
            if order is not None:
                kept = part.gather(2, order[:, None, :, None].expand(-1, heads, -1, dim))
            new = part.new_empty(utterances, heads, self._capacity, dim)
            new[:, :, : self._size] = kept
            moved.append(new)
        return KeysValues(*moved)
