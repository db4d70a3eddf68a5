"""The decoders with the real model: batch laws from waveform to transcript, and the original's beam search."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.fake_decoder import decode_attention, decode_attention_n_best
from parity.harness import build_speecht5, case_names, open_case
from sprachbund.decoding.ctc.greedy import greedy_ctc
from sprachbund.decoding.search.attention import TextDecoder
from sprachbund.decoding.search.ctc_prefix import CtcOutput
from sprachbund.decoding.search.joint import decode_joint
from sprachbund.decoding.search.roles import BeamConfig
from sprachbund.models.speech_encoder import waveform_layers
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.nn.transformer import StackConfig

SAMPLES = (6400, 80, 4700, 3200, 400, 5555, 2000)
FORBIDDEN = (0, 1, 3, 17, 18)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    stack = StackConfig(dim=32, ffn_dim=64, num_layers=2, num_heads=4)
    config = SpeechT5Config(
        vocab_size=19,
        encoder=stack,
        decoder=stack,
        conv_layers=waveform_layers(16),
        position_kernel=16,
        position_groups=4,
    )
    model = SpeechT5(config).eval()
    with torch.no_grad():
        # A fresh model finds everything equally likely, and a tie has no one transcript.
        model.text_head.weight.mul_(60.0)
        model.ctc_head.weight.mul_(60.0)
    return model


def waveforms_of(places):
    generator = torch.Generator().manual_seed(1)
    every = [torch.randn(samples, generator=generator) for samples in SAMPLES]
    chosen = [every[place] for place in places]
    lengths = torch.tensor([len(waveform) for waveform in chosen])
    return torch.nn.utils.rnn.pad_sequence(chosen, batch_first=True), lengths


def transcribe(model, places, config):
    with torch.no_grad():
        encoded = model.encode_speech(*waveforms_of(places))
        ctc = greedy_ctc(model.ctc_logits(encoded), encoded.lengths, blank=18, forbidden=FORBIDDEN)
    return ctc, decode_attention(model, encoded, config)


def test_the_model_is_a_text_decoder(model):
    assert isinstance(model, TextDecoder)


def test_same_transcript_at_every_batch_size_and_order(model):
    config = BeamConfig(beam=4, max_tokens=9, forbidden=FORBIDDEN)
    places = [place for place, samples in enumerate(SAMPLES) if samples >= 400]
    alone = {place: [found[0] for found in transcribe(model, [place], config)] for place in places}
    assert len({hypothesis.tokens for _, hypothesis in alone.values()}) > 1
    assert all(ctc.tokens for ctc, _ in alone.values())
    for batch in (places, places[::-1], places[2:4]):
        for place, *found in zip(batch, *transcribe(model, batch, config), strict=True):
            for together, single in zip(found, alone[place], strict=True):
                assert together.tokens == single.tokens
                assert together.score == pytest.approx(single.score, rel=1e-4, abs=1e-4)


@settings(deadline=None, max_examples=3)
@given(ctc_weight=st.sampled_from([0.3, 1.0]), length_bonus=st.sampled_from([0.0, 1.0]), data=st.data())
def test_joint_search_is_the_same_in_every_batch_and_on_two_threads(model, ctc_weight, length_bonus, data):
    config = BeamConfig(beam=4, num_best=2, max_tokens=7, forbidden=FORBIDDEN, length_bonus=length_bonus)
    places = [place for place, samples in enumerate(SAMPLES) if samples >= 400]
    alone = {place: joint(model, [place], config, ctc_weight)[0] for place in places}
    order = data.draw(st.permutations(places))
    for batch in (order[:2], order[1:] * 2):
        for place, found in zip(batch, joint(model, batch, config, ctc_weight), strict=True):
            assert_same(found, alone[place])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        for place, found in zip(order, joint(model, order, config, ctc_weight), strict=True):
            assert_same(found, alone[place])
    finally:
        torch.set_num_threads(threads)


def joint(model, places, config, ctc_weight):
    with torch.no_grad():
        encoded = model.encode_speech(*waveforms_of(places))
        ctc = CtcOutput(model.ctc_logits(encoded), encoded.lengths, 18)
    return decode_joint(model, encoded, config, ctc=ctc, ctc_weight=ctc_weight)


def assert_same(found, expected):
    assert [one.score for one in found] == pytest.approx([one.score for one in expected], abs=1e-4)
    if abs(expected[0].score - expected[1].score) > 1e-4:
        assert [one.tokens for one in found] == [one.tokens for one in expected]
        for one, other in zip(found, expected, strict=True):
            assert one.parts == pytest.approx(other.parts, rel=1e-4, abs=1e-4)


def test_beam_of_one_is_greedy_without_a_cache(model):
    config = BeamConfig(beam=1, max_tokens=12, forbidden=FORBIDDEN)
    with torch.no_grad():
        encoded = model.encode_speech(*waveforms_of([0]))
        (found,) = decode_attention(model, encoded, config)
        tokens = [2]
        for step in range(12):
            logits = model.decode_text(torch.tensor([tokens]), encoded)[0, -1]
            logits[[*FORBIDDEN, *((2,) if step == 0 else ())]] = -torch.inf
            if int(logits.argmax()) == 2:
                break
            tokens.append(int(logits.argmax()))
    assert found.tokens == tuple(tokens[1:])


def attention_settings():
    """The searches of the golden cases that use the text decoder alone."""
    for name in case_names("speecht5"):
        for setting, choices in open_case("speecht5", name).meta.get("settings", {}).items():
            if choices.get("ctc_weight") == 0.0 and not choices.get("lm_weight"):
                yield pytest.param(name, setting, id=f"{name}-{setting}")


@pytest.mark.parametrize(("name", "setting"), list(attention_settings()))
def test_the_original_search_gave_the_same_hypotheses(name, setting):
    case = open_case("speecht5", name)
    model, choices = build_speecht5(case).eval(), case.meta["settings"][setting]
    assert case.meta["eos"] == 2
    config = BeamConfig(
        beam=choices["beam_size"],
        num_best=choices["beam_size"],
        max_tokens=choices["max_len_b"],
        max_tokens_per_frame=1000.0,
        length_penalty=choices.get("len_penalty", 1.0),
        forbidden=(1, case.meta["mask"], case.meta["blank"]),
    )
    sources = sorted(key.removeprefix("in.source_") for key in case.tensors if key.startswith("in.source_"))
    for source in sources:
        waveform = case[f"in.source_{source}"]
        with torch.no_grad():
            encoded = model.encode_speech(waveform, torch.tensor([waveform.shape[1]]))
            (found,) = decode_attention_n_best(model, encoded, config)
        expected = [[token for token in row if token != 1] for row in case[f"out.{setting}_tokens_{source}"].tolist()]
        assert [[*hypothesis.tokens, 2] for hypothesis in found] == expected
        scores = case[f"out.{setting}_scores_{source}"].tolist()
        assert [hypothesis.score for hypothesis in found] == pytest.approx(scores, rel=1e-4)
