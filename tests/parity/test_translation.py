"""Our SpeechLM with a text decoder gives the numbers of the original's speech translation."""

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from parity.harness import PADDING, Case, assert_close, assert_gradients, assert_number, case_names, open_case
from parity.speech_units import decode_one_by_one, load_weights, speech_of, weights_of
from sprachbund.checkpoints.key_table import KeyTable, Renamed
from sprachbund.data.batches.batch import TranscribedBatch
from sprachbund.models.speechlm import keys
from sprachbund.models.speechlm.model import SpeechLM
from sprachbund.objectives.recognition import Recognition, RecognitionConfig

CASES = [name for name in case_names("speechlm") if name.startswith("finetune_st")]
SMOOTHING = "loss.ls"


class DecoderTable(KeyTable):
    """The names of the decoder alone, which stands outside of the encoder."""

    def __init__(self, table: KeyTable) -> None:
        self._table = table

    def to_ours(self, names: Iterable[str]) -> Renamed:
        renamed = self._table.to_ours(f"decoder.{name}" for name in names)
        return Renamed({old.removeprefix("decoder."): new for old, new in renamed.names.items()}, renamed.unused)


def build(case: Case) -> SpeechLM:
    """Our model with the weights of the encoder and of the decoder, in the case's mode."""
    path = case.folder / case.meta["decoder_state"]
    decoder = load_file(path)
    arguments = json.loads(path.with_suffix(".json").read_text("utf-8"))["config"]
    # The text that the CTC head of pre-training knows is another one.
    config = keys.config_from_original(
        {**case.state["config"], "add_text_ctc": False}, len(decoder["embed_tokens.weight"]), None, decoder=arguments
    )
    model = SpeechLM(replace(config, ctc_dropout=0.0))
    weights = weights_of(case) | {f"decoder.{name}": weight for name, weight in decoder.items()}
    load_weights(model, keys.to_ours(weights, config))
    return model.train(case.trains)


def transcribed(case: Case) -> TranscribedBatch:
    waveforms, lengths = speech_of(case)
    targets = case["in.target"]
    said: Tensor = targets != PADDING
    return TranscribedBatch(
        ids=tuple(map(str, range(len(waveforms)))),
        waveforms=waveforms,
        waveform_lengths=lengths,
        time_mask=case.tensors.get("mask.time"),
        channel_mask=case.tensors.get("mask.channel"),
        decoder_input=case["in.prev_output_tokens"],
        targets=targets,
        target_lengths=said.sum(dim=1),
    )


@pytest.mark.parametrize("name", CASES)
def test_the_decoder_gives_the_numbers_of_the_original(name: str):
    case = open_case("speechlm", name)
    model, batch = build(case), transcribed(case)
    encoded = model.encode_speech(
        batch.waveforms, batch.waveform_lengths, time_mask=batch.time_mask, channel_mask=batch.channel_mask
    )
    assert torch.equal(encoded.padding_mask, case["out.padding_mask"])
    assert_close(encoded.states, case["out.encoder_out"], "encoder_out", ~encoded.padding_mask)
    said = batch.decoder_input != PADDING
    logits = model.decode_text(batch.decoder_input, encoded)
    assert_close(logits, case["out.decoder_logits"], "decoder_logits", said)
    one_by_one = decode_one_by_one(model, batch.decoder_input, encoded)
    assert_close(one_by_one, case["out.decoder_logits_incremental"], "decoder_logits_incremental", said)


@pytest.mark.parametrize("name", CASES)
def test_the_loss_gives_the_numbers_of_the_original(name: str):
    case = open_case("speechlm", name)
    model, batch = build(case), transcribed(case)
    plain = RecognitionConfig(decoder_weight=1.0, ctc_weight=0.0, label_smoothing=0.0, normalize_by="tokens")
    assert_number(Recognition(model, plain)(batch).terms[0].sum, case.number("loss.nll"), "nll")
    losses = [loss for loss in case.tensors if loss.startswith(SMOOTHING)]
    assert losses
    for loss in losses:
        # ls02 is a label smoothing of 0.2.
        smoothing = float(f"0.{loss.removeprefix(SMOOTHING).partition('_')[0].removeprefix('0')}")
        objective = Recognition(model, replace(plain, label_smoothing=smoothing))
        total = objective(batch).terms[0].sum
        assert_number(total, case.number(loss), loss)
        assert_gradients(model, case, total, DecoderTable(keys.key_table(model.config)))
