import math
from dataclasses import replace

import torch
from torch.nn import functional as F

from models.language_model.sizes import build, lines_batch
from objectives.laws import assert_rows_add_up
from sprachbund.objectives.language_modeling import LanguageModeling


def test_the_loss_is_the_mean_over_tokens() -> None:
    model, batch = build(), lines_batch((5, 3, 1))
    loss = LanguageModeling(model)(batch)
    logits = model.predict_next(batch.tokens).flatten(0, 1)
    expected = F.cross_entropy(logits, batch.targets.flatten(), ignore_index=1)
    torch.testing.assert_close(loss.total(), expected)
    bits, count = loss.figures["bits_per_token"]
    assert (count, loss.terms[0].count) == (12, 12.0)
    torch.testing.assert_close(bits / count, (expected / math.log(2)).detach())
    correct, count = loss.figures["token_accuracy"]
    assert correct == (logits.argmax(dim=1) == batch.targets.flatten())[batch.targets.flatten() != 1].sum()
    assert count == 12


def test_a_batch_is_the_window_of_its_rows() -> None:
    model = build().train()
    assert_rows_add_up(LanguageModeling(model), model, lines_batch((5, 1, 7)))


def test_counts_need_no_forward() -> None:
    objective, batch = LanguageModeling(build()), lines_batch()
    assert objective.counts(batch) == {term.name: term.count for term in objective(batch).terms} == {"tokens": 12.0}
    objective.set_step(7)
    assert objective(batch).total() == objective(batch).total()


def test_the_law_would_see_padding_that_counts() -> None:
    objective, batch = LanguageModeling(build()), lines_batch()
    wrong = replace(batch, targets=batch.targets.masked_fill(batch.targets == 1, 4))
    assert objective(wrong).total() != objective(batch).total()
