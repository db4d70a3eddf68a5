import json
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from sprachbund.data.batches.text_noise import TextInfilling, infill, whole_word_starts
from sprachbund.errors import VocabularyError

MASK, SPACE = 40, 4
CHARACTERS = TextInfilling(mask_id=MASK, vocabulary_size=41, word_start_ids=frozenset({SPACE}))
words = st.lists(st.integers(5, 30), min_size=1, max_size=6)
lines = st.lists(words, max_size=30).map(lambda line: [0, *(i for word in line for i in (SPACE, *word)), 2])


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def run(line, seed=0, **changes):
    config = TextInfilling(**{**vars(CHARACTERS), **changes})
    noised = infill(torch.tensor(line), config, seeded(seed))
    return noised.source.tolist(), noised.target.tolist()


def test_noise_equals_the_original_one(golden):
    case = golden / "preprocess" / "text_noise"
    if not case.parent.is_dir():
        pytest.skip("this golden directory has no preprocess folder")
    tensors, meta = load_file(case / "io.safetensors"), json.loads((case / "meta.json").read_text())
    is_start = tensors["in.whole_word_mask"]
    sources = [key for key in tensors if "_src_" in key]
    assert sources
    for key in sources:
        sentinels, seed, line = map(int, re.fullmatch(r"out\.iid(\d+)_seed(\d+)_src_(\d+)", key).groups())
        config = TextInfilling(
            mask_id=meta["settings"]["mask_idx"],
            vocabulary_size=len(is_start),
            word_start_ids=frozenset(is_start.nonzero()[:, 0].tolist()),
            sentinel_ids=tuple(meta["settings"]["uni_mask_idxs"]) if sentinels else (),
        )
        noised = infill(tensors[f"in.tokens_{line}"], config, seeded(1000 * seed + line))
        assert noised.source.tolist() == tensors[key].tolist(), key
        assert noised.target.tolist() == tensors[key.replace("src", "tgt")].tolist(), key


def test_word_starts_are_found_between_the_ends():
    tokens = torch.tensor([SPACE, 5, SPACE, 6, 7, SPACE, SPACE])
    assert whole_word_starts(tokens, [SPACE]).tolist() == [0, 0, 1, 0, 0, 1, 0]
    assert whole_word_starts(torch.zeros(0, dtype=torch.int64), frozenset({SPACE})).tolist() == []


@pytest.mark.parametrize("line", [[0, 2], [2], [0, 7, 8, 2], [0, 1, 3, 2]])
def test_a_line_without_words_stays(line):
    assert run(line) == (line, line)


def test_the_given_line_is_left_alone():
    tokens = torch.tensor([0, *[SPACE, 5, 6] * 10, 2])
    before = tokens.clone()
    noised = infill(tokens, CHARACTERS, seeded(1))
    assert torch.equal(tokens, before)
    assert torch.equal(noised.target, before)
    assert not torch.equal(noised.source, before)


@settings(deadline=None, max_examples=200)
@given(line=lines, seed=st.integers(0, 2**40), rate=st.sampled_from([0.3, 3.5]))
def test_without_random_tokens_what_is_not_masked_is_kept_in_order(line, seed, rate):
    source, target = run(line, seed, random_ratio=0.0, poisson_rate=rate)
    assert target == line
    assert (source[0], source[-1]) == (0, 2)
    remaining = iter(line)
    assert all(token in remaining for token in source if token != MASK)
    num_words, kept = line.count(SPACE), source.count(SPACE)
    assert num_words - kept <= -(-3 * num_words // 10) + 1
    assert (MASK in source) == (num_words > 0)


@settings(deadline=None, max_examples=50)
@given(line=lines, seed=st.integers(0, 1000))
def test_the_same_generator_gives_the_same_noise(line, seed):
    assert run(line, seed) == run(line, seed)


def test_a_third_of_the_words_is_masked_and_a_tenth_of_the_spans_is_random():
    line = [0, *[SPACE, 5, 6] * 100, 2]
    masks, randoms, kept = 0, 0, 0
    for seed in range(100):
        source, _ = run(line, seed, vocabulary_size=1000, mask_id=999)
        masks += source.count(999)
        randoms += sum(token not in (0, 2, SPACE, 5, 6, 999) for token in source)
        kept += source.count(SPACE)
    # spans may overlap, so that a little less than 31 of the 100 words go
    assert 69 <= kept / 100 <= 76
    assert 0.06 < randoms / (masks + randoms) < 0.16
    assert 5 < (masks + randoms) / 100 < 13  # about 31 / 3.5, and those inside others


def test_sentinels_number_the_masks_and_restore_the_line():
    line = [0, *(token for word in range(5, 35) for token in (SPACE, word)), 2]
    sentinels = tuple(range(50, 80))
    for seed in range(30):
        source, target = run(line, seed, sentinel_ids=sentinels, random_ratio=0.0)
        used = [token for token in target if token in sentinels]
        assert used == list(sentinels[: len(used)])
        hidden, current = {}, None
        for token in target[:-1]:
            current = token if token in sentinels else current
            hidden.setdefault(current, []).extend([] if token in sentinels else [token])
        restored = []
        for token in source:
            if token in sentinels:
                # A span that began inside this one has no place of its own in the source.
                restored += hidden[token]
                later = token + 1
                while later in hidden and later not in source:
                    restored += hidden[later]
                    later += 1
            elif token != MASK:
                restored.append(token)
        assert restored == line


def test_too_few_sentinels_are_an_error():
    with pytest.raises(VocabularyError, match="sentinels"):
        run([0, *[SPACE, 5] * 100, 2], 1, sentinel_ids=(50,), random_ratio=0.0)
