import itertools
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.fake_decoder import FakeDecoder, FakeLanguageModel, FakeMemory, utterances_of
from sprachbund.decoding.search.ctc_prefix import CtcOutput, CtcPrefixScorer
from sprachbund.decoding.search.joint import decode_joint
from sprachbund.decoding.search.roles import BeamConfig, Weighted
from sprachbund.errors import CheckpointError, RecipeError

VOCAB, BLANK, EOS = 9, 0, 2
CONFIG = BeamConfig(beam=4, num_best=3, max_tokens=6, forbidden=(0, 1))
SAME = 1e-4


class Speaker:
    """Utterances with CTC posteriors and a decoder of their own."""

    def __init__(self, lengths, seed=0, vocab=VOCAB, sharpness=3.0):
        self.decoder = FakeDecoder(vocab=vocab, seed=seed, sharpness=sharpness)
        self.utterances = utterances_of(lengths, seed)
        generator = torch.Generator().manual_seed(seed + 1)
        self.logits = [2.0 * torch.randn(length, vocab, generator=generator) for length in lengths]
        self.vocab, self.seed = vocab, seed

    def memory(self, places, padding=0):
        return FakeMemory.of([self.utterances[place] for place in places], padding)

    def ctc(self, places, padding=0):
        lengths = [len(self.logits[place]) for place in places]
        logits = torch.full((len(places), max(lengths) + padding, self.vocab), 5.0)
        for row, place in enumerate(places):
            logits[row, : lengths[row]] = self.logits[place]
        return CtcOutput(logits, torch.tensor(lengths), BLANK)

    def model(self, num_rows, weight=0.4):
        return Weighted("lm", FakeLanguageModel(num_rows, self.vocab, self.seed), weight)

    def decode(self, places, config=CONFIG, *, padding=0, ctc_weight=0.3, lm_weight=0.4):
        return decode_joint(
            self.decoder,
            self.memory(places, padding),
            config,
            ctc=self.ctc(places, padding),
            ctc_weight=ctc_weight,
            extra=[self.model(len(places), lm_weight)],
        )

    def log_probabilities(self, place, tokens):
        """What each scorer gives a whole transcript, computed at once and without a search."""
        path = [EOS, *tokens, EOS]
        decoded = self.decoder.decode_text(torch.tensor([path[:-1]]), self.memory([place]))[0].log_softmax(dim=1)
        model, ctc = FakeLanguageModel(1, self.vocab, self.seed), CtcPrefixScorer(self.ctc([place]), eos=EOS)
        sums = {"decoder": 0.0, "ctc": 0.0, "lm": 0.0}
        for step, (last, token) in enumerate(itertools.pairwise(path)):
            sums["decoder"] += decoded[step, token].item()
            sums["ctc"] += ctc.score(torch.tensor([last]))[0, token].item()
            sums["lm"] += model.score(torch.tensor([last]))[0, token].item()
        return sums


def best_of_all(speaker, place, config, weights):
    """The best of every possible transcript."""
    words = [token for token in range(speaker.vocab) if token not in (*config.forbidden, EOS)]
    best = (-math.inf, ())
    for length in range(config.min_tokens, config.limit(len(speaker.logits[place])) + 1):
        for tokens in itertools.product(words, repeat=length):
            sums = speaker.log_probabilities(place, tokens)
            total = sum(weights[name] * value for name, value in sums.items() if weights[name])
            score = (total + config.length_bonus * length) / (length + 1) ** config.length_penalty
            best = max(best, (score, tokens))
    return best


@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 999), data=st.data())
def test_same_transcripts_at_every_batch_size_and_order(seed, data):
    speaker = Speaker([3, 1, 6, 2, 5, 4, 6], seed)
    weights = {"ctc_weight": data.draw(st.sampled_from([0.0, 0.3, 1.0])), "lm_weight": 0.4}
    config = replace(CONFIG, length_bonus=data.draw(st.sampled_from([0.0, 0.7])))
    alone = [speaker.decode([place], config, **weights)[0] for place in range(7)]
    for size in (2, 7, 32):
        order = data.draw(st.permutations(range(7))) * (5 if size == 32 else 1)
        for start in range(0, len(order), size):
            places, padding = order[start : start + size], data.draw(st.integers(0, 3))
            found = speaker.decode(places, config, padding=padding, **weights)
            for place, hypotheses in zip(places, found, strict=True):
                assert_same(hypotheses, alone[place])


def assert_same(found, expected):
    """Every transcript in its place, where no other one is as good."""
    assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=SAME)
    for place, (one, other) in enumerate(zip(found, expected, strict=True)):
        is_tied = any(abs(other.score - each.score) < SAME for number, each in enumerate(expected) if number != place)
        if not is_tied:
            assert one.tokens == other.tokens
            assert one.parts == pytest.approx(other.parts, abs=SAME)


@settings(deadline=None, max_examples=4)
@given(
    seed=st.integers(0, 999),
    ctc_weight=st.sampled_from([0.2, 0.6]),
    bonus=st.sampled_from([0.0, 1.5]),
    penalty=st.sampled_from([0.0, 1.0]),
)
def test_a_beam_as_large_as_everything_finds_the_best(seed, ctc_weight, bonus, penalty):
    speaker = Speaker([3, 2], seed, vocab=6)
    config = BeamConfig(beam=500, max_tokens=3, forbidden=(0, 1), length_bonus=bonus, length_penalty=penalty)
    weights = {"decoder": 1.0 - ctc_weight, "ctc": ctc_weight, "lm": 0.4}
    for place, (found,) in enumerate(speaker.decode([0, 1], config, ctc_weight=ctc_weight)):
        score, tokens = best_of_all(speaker, place, config, weights)
        assert found.tokens == tokens
        assert found.score == pytest.approx(score, abs=1e-5)
        assert found.parts == pytest.approx(speaker.log_probabilities(place, tokens), abs=1e-5)


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 999))
def test_ctc_alone_finds_the_likeliest_transcript(seed):
    speaker = Speaker([4], seed, vocab=5)
    log_probs = speaker.logits[0].double().log_softmax(dim=1)
    totals = dict[tuple[int, ...], float]()
    for path in itertools.product(range(5), repeat=4):
        tokens = tuple(token for token, _ in itertools.groupby(path) if token != BLANK)
        totals[tokens] = totals.get(tokens, 0.0) + math.exp(log_probs[torch.arange(4), list(path)].sum().item())
    allowed = {tokens: value for tokens, value in totals.items() if not {1, EOS} & set(tokens)}
    config = BeamConfig(beam=300, num_best=3, forbidden=(0, 1), min_tokens=0, length_penalty=0.0)
    (found,) = decode_joint(None, speaker.memory([0]), config, ctc=speaker.ctc([0]), ctc_weight=1.0)
    best = sorted(allowed.items(), key=lambda item: -item[1])[:3]
    assert [hypothesis.tokens for hypothesis in found] == [tokens for tokens, _ in best]
    assert [hypothesis.score for hypothesis in found] == pytest.approx([math.log(value) for _, value in best])


def plain_search_of_fairseq(speaker, config, ctc_weight):
    """The originals' search as they do it: one utterance, one hypothesis after the other, on lists."""
    live, finished, limit = [((), 0.0)], [], config.limit(len(speaker.logits[0]))
    for step in range(limit + 1):
        ways = []
        for tokens, total in live:
            fused = plain_fusion(speaker, tokens, config, ctc_weight)
            for token in range(speaker.vocab):
                is_allowed = token not in config.forbidden and (step < limit or token == EOS)
                if is_allowed and (token != EOS or step >= config.min_tokens) and fused[token] > -math.inf:
                    ways.append((total + fused[token], (*tokens, token)))
        ways = sorted(ways, key=lambda way: -way[0])[: 2 * config.beam]
        for total, tokens in ways[: config.beam]:
            if tokens[-1] == EOS and len(finished) < config.beam:
                finished.append((total / len(tokens) ** config.length_penalty, tokens[:-1]))
        if len(finished) == config.beam:
            break
        live = [(tokens, total) for total, tokens in ways if tokens[-1] != EOS][: config.beam]
    # Where nothing could end the original has no answer, and ours the empty one.
    return sorted(finished, key=lambda one: -one[0]) or [(-math.inf, ())]


def plain_fusion(speaker, tokens, config, ctc_weight):
    """What the originals compare the next tokens by."""
    path = [EOS, *tokens]
    decoder = speaker.decoder.decode_text(torch.tensor([path]), speaker.memory([0]))[0, -1].log_softmax(dim=0).tolist()
    model, ctc = FakeLanguageModel(1, speaker.vocab, speaker.seed), CtcPrefixScorer(speaker.ctc([0]), eos=EOS)
    for token in path:
        ctc_scores, model_scores = (scorer.score(torch.tensor([token]))[0].tolist() for scorer in (ctc, model))
    ranked = sorted(range(speaker.vocab), key=lambda token: -decoder[token] if token != BLANK else math.inf)
    is_speecht5 = config.candidates == "speecht5"
    candidates = ranked[: 7 * config.beam if is_speecht5 else min(4 * config.beam, 33)]
    fused = []
    for token in range(speaker.vocab):
        score = decoder[token]
        if is_speecht5 or len(tokens) < len(speaker.logits[0]):
            if token in candidates:
                score = (1 - ctc_weight) * decoder[token] + ctc_weight * ctc_scores[token]
            elif not is_speecht5:
                score = -math.inf
        fused.append(score + 0.4 * model_scores[token])
    return fused


@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 999),
    beam=st.integers(1, 3),
    penalty=st.sampled_from([0.5, 1.0, 2.0]),
    candidates=st.sampled_from(["speecht5", "speechut"]),
)
def test_the_rules_of_the_originals_by_name(seed, beam, penalty, candidates):
    speaker = Speaker([4], seed, sharpness=1.0)
    config = replace(
        CONFIG,
        beam=beam,
        num_best=beam,
        max_tokens_per_frame=1.5,
        length_penalty=penalty,
        candidates=candidates,
        ending="fairseq",
    )
    expected = plain_search_of_fairseq(speaker, config, 0.3)
    (found,) = speaker.decode([0], config)
    assert [one.tokens for one in found] == [tokens for _, tokens in expected]
    assert [one.score for one in found] == pytest.approx([score for score, _ in expected], abs=1e-5)


def test_utterances_without_frames_are_empty_and_the_others_the_same():
    speaker = Speaker([4, 0, 3, 0])
    found = speaker.decode([0, 1, 2, 3])
    for place in (1, 3):
        assert [(hypothesis.tokens, hypothesis.score) for hypothesis in found[place]] == [((), 0.0)]
    for place in (0, 2):
        assert_same(found[place], speaker.decode([place])[0])
    assert speaker.decode([1, 3])[0][0].tokens == ()


def test_a_beam_larger_than_the_vocabulary():
    speaker = Speaker([5, 2], vocab=4)
    config = replace(CONFIG, beam=60, num_best=60, max_tokens=4)
    for hypotheses in speaker.decode([0, 1], config):
        assert {token for hypothesis in hypotheses for token in hypothesis.tokens} == {3}


def test_equal_scores_are_settled_the_same_way_in_every_batch():
    speaker = Speaker([4, 2, 3, 4], sharpness=0.0)
    speaker.logits = [torch.zeros_like(logits) for logits in speaker.logits]
    together = speaker.decode([0, 1, 2, 3], lm_weight=0.0)
    for place, hypotheses in enumerate(together):
        (alone,) = speaker.decode([place], lm_weight=0.0)
        assert [hypothesis.tokens for hypothesis in hypotheses] == [hypothesis.tokens for hypothesis in alone]


@pytest.mark.parametrize("candidates", ["all", "speecht5", "speechut"])
def test_transcripts_longer_than_the_frames_end_or_die(candidates):
    speaker = Speaker([2, 1, 3])
    config = replace(CONFIG, max_tokens=12, max_tokens_per_frame=4.0, min_tokens=3, candidates=candidates, beam=2)
    for length, hypotheses in zip((2, 1, 3), speaker.decode([0, 1, 2], config), strict=True):
        assert hypotheses
        if candidates == "all":
            # CTC cannot say three tokens in fewer frames.
            assert all(len(one.tokens) == 3 and one.score > -math.inf for one in hypotheses if length == 3)
            assert [one for one in hypotheses if one.score > -math.inf] == [one for one in hypotheses if length == 3]


def test_what_cannot_be_searched_is_refused():
    speaker = Speaker([3])
    memory, ctc = speaker.memory([0]), speaker.ctc([0])
    for weight in (-0.1, 1.5, math.nan):
        with pytest.raises(RecipeError, match="weight of CTC"):
            decode_joint(speaker.decoder, memory, CONFIG, ctc=ctc, ctc_weight=weight)
    with pytest.raises(RecipeError, match="no text decoder"):
        decode_joint(None, memory, CONFIG, ctc=ctc, ctc_weight=0.5)
    with pytest.raises(RecipeError, match="no CTC head"):
        decode_joint(speaker.decoder, memory, CONFIG, ctc=None, ctc_weight=0.5)
    broken = CtcOutput(torch.full_like(ctc.logits, torch.nan), ctc.lengths, BLANK)
    with pytest.raises(CheckpointError, match="scorer ctc gives values that are not numbers"):
        decode_joint(speaker.decoder, memory, CONFIG, ctc=broken)
