from dataclasses import replace

import torch
from torch.nn import functional as F

from models.sequence.sizes import build, sequence_batch
from objectives.laws import assert_rows_add_up
from sprachbund.objectives.sequence import SequenceWriting, SequenceWritingConfig


def test_the_loss_is_the_mean_over_targets() -> None:
    model, batch = build(), sequence_batch()
    loss = SequenceWriting(model, SequenceWritingConfig(label_smoothing=0.0))(batch)
    logits = model.decode_text(batch.decoder_input, model.encode_text(batch.tokens, batch.token_lengths))
    torch.testing.assert_close(
        loss.total(), F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=1)
    )
    correct, count = loss.figures["token_accuracy"]
    assert (count, loss.terms[0].count) == (12, 12.0)
    assert correct == ((logits.argmax(dim=2) == batch.targets) & (batch.targets != 1)).sum()


def test_smoothing_is_that_of_the_configuration() -> None:
    plain, usual, much = (
        SequenceWriting(build(), config)(sequence_batch()).total()
        for config in (SequenceWritingConfig(label_smoothing=0.0), None, SequenceWritingConfig(label_smoothing=0.5))
    )
    # Linear in the smoothing.
    torch.testing.assert_close(usual - plain, (much - plain) / 5)
    assert usual != plain


def test_a_batch_is_the_window_of_its_rows() -> None:
    model = build().train()
    assert_rows_add_up(SequenceWriting(model), model, sequence_batch())


def test_counts_need_no_forward() -> None:
    objective, batch = SequenceWriting(build()), sequence_batch()
    assert objective.counts(batch) == {term.name: term.count for term in objective(batch).terms} == {"tokens": 12.0}


def test_the_law_would_see_padding_that_counts() -> None:
    objective, batch = SequenceWriting(build()), sequence_batch()
    wrong = replace(batch, targets=batch.targets.masked_fill(batch.targets == 1, 4))
    assert objective(wrong).total() != objective(batch).total()
