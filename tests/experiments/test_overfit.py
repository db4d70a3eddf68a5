import tiny
from sprachbund.experiments.overfit import overfit_one_batch


def test_a_batch_is_learned_by_heart(tmp_path):
    clips = list(tiny.make_cuts(tmp_path, 2, samples=[6400, 7000]))
    result = overfit_one_batch(clips, tiny.character_tokenizer(), max_steps=200, seed=1)
    assert (result.cer, result.num_clips) == (0.0, 2)
    assert result.steps < 200


def test_it_stops_and_says_how_far_it_came(tmp_path):
    clips = list(tiny.make_cuts(tmp_path, 2, samples=[8000, 9000]))
    result = overfit_one_batch(clips, tiny.character_tokenizer(), max_steps=1, seed=1)
    assert (result.steps, result.cer) == (1, 1.0)
