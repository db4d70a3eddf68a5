import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.data.batches.batch import Batch, TextBatch
from sprachbund.data.mixture import Step
from sprachbund.data.streams import Cursor, Plan, TextStream
from sprachbund.training.data import Filler, TrainingData
from sprachbund.training.distributed import Processes


def collate(plan: Plan, draw: int) -> Batch:
    tokens, one = torch.ones(1, 1, dtype=torch.int64), torch.ones(1, dtype=torch.int64)
    ids = tuple(line.id for line in plan)
    return TextBatch(ids, tokens, one, tokens, tokens, one, torch.zeros(1, dtype=torch.bool), seed=draw)


def training_data(accumulate: int = 2, held_out: list[dict[str, Batch]] | None = None) -> TrainingData:
    streams = {"text": TextStream([[4]] * 10, 6, seed=1)}
    return TrainingData(streams, {"text": collate}, held_out or [], accumulate=accumulate, loader_workers=0)


def names(steps: list[Step]) -> list[object]:
    return [
        (step.number, [(micro["text"].ids, vars(micro["text"])["seed"]) for micro in step.micros]) for step in steps
    ]


def test_training_begins_at_the_consumed_place() -> None:
    data = training_data()
    whole = list(itertools.islice(data.train_dataloader(), 9))
    # Fetching consumes nothing.
    assert data.state_dict() == {"next_step": 0, "cursors": {}}
    assert names(list(itertools.islice(data.train_dataloader(), 9))) == names(whole)
    data.consumed(whole[0])
    data.consumed(whole[1])
    assert data.state_dict() == {"next_step": 2, "cursors": {"text": [0, 4]}}
    assert names(list(itertools.islice(data.train_dataloader(), 7))) == names(whole[2:])


def test_a_checkpoint_holds_the_place() -> None:
    data, resumed = training_data(), training_data()
    whole = list(itertools.islice(data.train_dataloader(), 9))
    for step in whole[:4]:
        data.consumed(step)
    state = data.state_dict()
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert resumed.cursors == {"text": Cursor(1, 3)}
    assert names(list(itertools.islice(resumed.train_dataloader(), 5))) == names(whole[4:])


def test_held_out_micro_batches_come_in_their_order() -> None:
    micros = [{"text": collate(plan, 0)} for plan in TextStream([[4]] * 10, 6, shuffle=False).plans(0)]
    data = training_data(held_out=micros)
    for _ in range(2):
        assert [micro["text"].ids for micro in data.val_dataloader()] == [micro["text"].ids for micro in micros]


def test_batches_move_themselves() -> None:
    data, meta = training_data(), torch.device("meta")
    step = next(iter(data.train_dataloader()))
    moved = data.transfer_batch_to_device(step, meta, 0)
    assert isinstance(moved, Step)
    assert {micro["text"].tokens.device.type for micro in moved.micros} == {"meta"}  # type: ignore[attr-defined]
    moved = data.transfer_batch_to_device(step.micros[0], meta, 0)
    assert moved["text"].tokens.device.type == "meta"


@given(held=st.integers(1, 9), processes=st.integers(1, 4))
@settings(deadline=None, max_examples=30)
def test_every_held_out_micro_batch_counts_once_and_no_process_waits(held: int, processes: int) -> None:
    micros = [{"text": collate(plan, 0)} for plan in TextStream([[4]] * held, 3, shuffle=False).plans(0)]
    assert len(micros) == held
    counted: list[object] = []
    lengths = set()
    for rank in range(processes):
        share = Processes(rank, processes, processes, "torchrun")
        data = TrainingData({}, {}, micros, accumulate=1, loader_workers=0, processes=share)
        moved = [data.transfer_batch_to_device(micro, torch.device("cpu"), 0) for micro in data.val_dataloader()]
        counted += [micro["text"].ids for micro in moved if not isinstance(micro, Filler)]
        lengths.add(len(moved))
    assert sorted(counted) == sorted(micro["text"].ids for micro in micros)
    assert len(lengths) == 1


def test_a_process_trains_on_its_share() -> None:
    def drawn(processes: Processes | None) -> list[object]:
        streams = {"text": TextStream([[4]] * 10, 6, seed=1)}
        data = TrainingData(streams, {"text": collate}, [], accumulate=4, loader_workers=0, processes=processes)
        return [
            (step.number, place, micro["text"].ids)
            for step in itertools.islice(data.train_dataloader(), 5)
            for place, micro in zip(step.places, step.micros, strict=True)
        ]

    parts = [drawn(Processes(rank, 2, 2, "torchrun")) for rank in range(2)]
    assert [len(part) for part in parts] == [10, 10]
    assert sorted(parts[0] + parts[1]) == sorted(drawn(None))  # type: ignore[type-var]
