import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from sprachbund.data.batches.batch import Batch
from sprachbund.data.batches.collate import SpeechCollator, TextCollator
from sprachbund.data.batches.crops import LabelledCrops
from sprachbund.data.batches.masking import SpanMasking
from sprachbund.data.batches.text_noise import TextInfilling
from sprachbund.data.mixture import Collator, Mixture, Step, loader
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.streams import Cursor, CutStream, Stream, TextStream

STEPS = 7  # more than one pass over either stream


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stream]:
    folder: Path = tmp_path_factory.mktemp("mixture")
    tokenizer = tiny.character_tokenizer()
    manifest = tiny.write_corpus(folder, 7, units=tiny.unit_model())
    return {
        "speech": CutStream(read_cuts(manifest), batch_seconds=2.0, seed=5, num_buckets=2),
        "text": TextStream([tokenizer.encode(line) for line in tiny.LINES], 40, seed=5),
    }


def collators(max_samples: int = 8_000) -> dict[str, Collator]:
    vocabulary = tiny.character_tokenizer().vocabulary
    noise = TextInfilling(
        mask_id=vocabulary.mask_id,
        vocabulary_size=len(vocabulary) - 2,
        word_start_ids=tiny.character_tokenizer().word_start_ids(),
    )
    speech = SpeechCollator(
        seed=5,
        crops=LabelledCrops(
            label_rate=100,
            unit_fingerprint=tiny.unit_model().fingerprint,
            max_samples=max_samples,  # below the length of most clips, so that crops are drawn
        ),
        masking=SpanMasking(),
        codebook_probability=0.3,
        speaker_dim=4,
    )
    return {"speech": speech, "text": TextCollator(seed=5, noise=noise, codebook_probability=0.3)}


def draw(
    streams: Mapping[str, Stream],
    steps: int,
    *,
    workers: int = 0,
    accumulate: int = 1,
    first_step: int = 0,
    cursors: Mapping[str, Cursor] | None = None,
) -> list[Step]:
    mixture = Mixture(streams, collators(), accumulate=accumulate, first_step=first_step, cursors=cursors)
    return list(itertools.islice(loader(mixture, workers), steps))


def assert_same(one: list[Step], other: list[Step]) -> None:
    assert [step.number for step in one] == [step.number for step in other]
    assert [step.cursors for step in one] == [step.cursors for step in other]
    for left, right in zip(one, other, strict=True):
        assert len(left.micros) == len(right.micros)
        for first, second in zip(left.micros, right.micros, strict=True):
            assert list(first) == list(second)
            assert not any(tiny.differences(first[name], second[name]) for name in first)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_loader_workers_change_nothing(streams: dict[str, Stream], accumulate: int) -> None:
    expected = draw(streams, STEPS, accumulate=accumulate)
    assert [step.number for step in expected] == list(range(STEPS))
    for workers in (1, 2):
        assert_same(draw(streams, STEPS, workers=workers, accumulate=accumulate), expected)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_resumed_mixture_goes_on_exactly(streams: dict[str, Stream], accumulate: int) -> None:
    whole = draw(streams, STEPS, accumulate=accumulate)
    assert whole[-1].cursors["speech"].epoch > 0  # the border of a pass is among the steps
    for done in (1, 4, 6):
        last = whole[done - 1]
        rest = draw(streams, STEPS - done, accumulate=accumulate, first_step=last.number + 1, cursors=last.cursors)
        assert_same(rest, whole[done:])
    last = whole[2]
    rest = draw(streams, 3, workers=2, accumulate=accumulate, first_step=last.number + 1, cursors=last.cursors)
    assert_same(rest, whole[3:6])


def test_a_step_holds_as_many_micro_batches_as_asked_for(streams: dict[str, Stream]) -> None:
    single, double = draw(streams, 6), draw(streams, 3, accumulate=2)
    assert [len(step.micros) for step in double] == [2, 2, 2]
    # Cursors count batches, and the number of the draw is that of the micro-batch: the same data, grouped in twos.
    micros = [micro for step in double for micro in step.micros]
    for micro, step in zip(micros, single, strict=True):
        for name, batch in step.micros[0].items():
            assert tiny.differences(micro[name], batch) == []
    assert [step.cursors for step in double] == [single[place].cursors for place in (1, 3, 5)]


def named(name: str) -> Collator:
    """Notes the items of a plan and the number of the draw, in place of tensors."""
    return lambda plan, draw: Batch((name, str(draw), *(line.id for line in plan)))


def seen(steps: list[Step]) -> list[tuple[int, int, str, tuple[str, ...]]]:
    """Step, place in it, stream, and what the collator was given."""
    return [
        (step.number, place, name, batch.ids)
        for step in steps
        for place, micro in zip(step.places, step.micros, strict=True)
        for name, batch in micro.items()
    ]


@given(
    sizes=st.lists(st.integers(1, 25), min_size=1, max_size=3),
    accumulate=st.integers(1, 7),
    processes=st.integers(1, 5),
    first=st.integers(0, 4),
)
@settings(deadline=None, max_examples=60)
def test_processes_share_out_what_one_would_read(sizes: list[int], accumulate: int, processes: int, first: int) -> None:
    """However many there are, also where they do not divide a step, and across the borders of unequal passes."""
    streams = {str(size): TextStream([[4]] * size, 9, seed=number) for number, size in enumerate(sizes)}
    known = {name: named(name) for name in streams}

    def read(share: tuple[int, int], steps: int, start: Step | None = None) -> list[Step]:
        place = {} if start is None else {"first_step": start.number + 1, "cursors": start.cursors}
        mixture = Mixture(streams, known, accumulate=accumulate, share=share, **place)  # type: ignore[arg-type]
        return list(itertools.islice(mixture, steps))

    whole = read((0, 1), 6)
    parts = [read((rank, processes), 6) for rank in range(processes)]
    together = [one for part in parts for one in seen(part)]
    assert sorted(together) == sorted(seen(whole))
    assert len(set(together)) == len(together)
    for part in parts:
        assert [step.cursors for step in part] == [step.cursors for step in whole]
    # Gone on with by another number of processes.
    rest = [one for rank in range(2) for one in seen(read((rank, 2), 2, parts[0][first]))]
    assert sorted(rest) == sorted(seen(read((0, 1), first + 3)[first + 1 :]))


@given(size=st.integers(1, 40), processes=st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_a_pass_is_read_once_by_all_processes_together(size: int, processes: int) -> None:
    stream = TextStream([[4]] * size, 9, seed=3)
    batches = len(stream.plans(0))
    lines: list[str] = []
    for rank in range(processes):
        mixture = Mixture({"text": stream}, {"text": named("text")}, accumulate=batches, share=(rank, processes))
        step = next(iter(mixture))
        assert step.cursors == {"text": Cursor(0, batches)}
        lines += [name for micro in step.micros for name in micro["text"].ids[2:]]
    assert sorted(lines) == [f"line-{number:09d}" for number in range(size)]


def test_cursors_count_what_is_consumed_not_what_is_fetched(streams: dict[str, Stream]) -> None:
    batches = loader(Mixture(streams, collators(), accumulate=2), 2)
    source = iter(batches)
    assert next(source).cursors == {"speech": Cursor(0, 2), "text": Cursor(0, 2)}
    # By now the workers have fetched several steps more.
    second = next(source)
    speech_batches = len(list(streams["speech"].plans(0)))
    assert second.cursors["speech"] == (Cursor(0, 4) if speech_batches >= 4 else Cursor(1, 4 - speech_batches))
    assert second.number == 1


def test_every_draw_is_its_own(streams: dict[str, Stream]) -> None:
    """A second pass gives the same clip another crop and mask."""
    alone = {"speech": CutStream(read_first(streams), batch_seconds=2.0)}
    first, second = draw(alone, 2)
    assert first.micros[0]["speech"].ids == second.micros[0]["speech"].ids
    changed = tiny.differences(first.micros[0]["speech"], second.micros[0]["speech"])
    assert {"waveforms", "units", "mels", "time_mask", "codebook_positions", "seed"} <= set(changed)


def read_first(streams: Mapping[str, Stream]) -> object:
    stream = streams["speech"]
    assert isinstance(stream, CutStream)
    return stream.cuts.filter(lambda cut: cut.id == "clip-002").to_eager()


def test_a_step_moves_with_all_its_tensors(streams: dict[str, Stream]) -> None:
    [step] = draw(streams, 1, accumulate=2)
    moved = step.to("meta")
    assert (moved.number, moved.cursors) == (step.number, step.cursors)
    for micro in moved.micros:
        assert {micro["speech"].waveforms.device.type, micro["text"].tokens.device.type} == {"meta"}  # type: ignore[attr-defined]
