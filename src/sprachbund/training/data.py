"""The data of a run as Lightning takes it: the mixture from the consumed place on, and held-out micro-batches."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from sprachbund.data.batches.batch import Batch, Micro
from sprachbund.data.mixture import Collator, Mixture, Step, loader
from sprachbund.data.streams import Cursor, Stream
from sprachbund.training.distributed import Processes


class Filler(dict[str, Batch]):
    """A held-out micro-batch that counts in another process; it only keeps this one in step with the others."""


class TrainingData(LightningDataModule):
    """Remembers what optimizer steps have consumed, which is all that a restart needs to know.

    Args:
        streams: training streams by name.
        collators: by the same names.
        held_out: collated micro-batches to validate on.
        accumulate: micro-batches of a step, of all processes together.
        loader_workers: processes that collate; 0 collates in the training process.
        processes: that train; this one takes its share of the micro-batches.
    """

    def __init__(
        self,
        streams: Mapping[str, Stream],
        collators: Mapping[str, Collator],
        held_out: Sequence[Micro],
        *,
        accumulate: int,
        loader_workers: int,
        processes: Processes | None = None,
    ) -> None:
        super().__init__()
        self.streams, self.collators, self.held_out = streams, collators, held_out
        self.accumulate, self.loader_workers = accumulate, loader_workers
        self.processes = processes or Processes()
        self.next_step = 0
        self.cursors: dict[str, Cursor] = {}

    def consumed(self, step: Step) -> None:
        """An optimizer step has used this."""
        self.next_step, self.cursors = step.number + 1, dict(step.cursors)

    def train_dataloader(self) -> DataLoader[Step]:
        """Steps from the consumed place on."""
        mixture = Mixture(
            self.streams,
            self.collators,
            accumulate=self.accumulate,
            share=(self.processes.rank, self.processes.count),
            first_step=self.next_step,
            cursors=self.cursors,
        )
        return loader(mixture, self.loader_workers)

    def val_dataloader(self) -> DataLoader[Micro]:
        """This process's share of the held-out micro-batches, equally many in every process."""
        share: list[Micro] = list(self.held_out[self.processes.rank :: self.processes.count])
        if len(share) < -(-len(self.held_out) // self.processes.count):
            share.append(Filler(self.held_out[0]))
        return DataLoader(share, batch_size=None)  # type: ignore[arg-type]

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Steps and held-out micro-batches move themselves."""
        if isinstance(batch, Step):
            return batch.to(device)
        return type(batch)({name: part.to(device) for name, part in batch.items()})

    def state_dict(self) -> dict[str, Any]:
        """Plain values for the checkpoint."""
        places = {name: [cursor.epoch, cursor.batches] for name, cursor in self.cursors.items()}
        return {"next_step": self.next_step, "cursors": places}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to the place that a checkpoint holds."""
        self.next_step = state_dict["next_step"]
        self.cursors = {name: Cursor(*place) for name, place in state_dict["cursors"].items()}
