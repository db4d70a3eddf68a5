from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from models.speech_units.sizes import DECODER, KINDS, NUM_UNITS, STACK, VOCAB_SIZE, build
from sprachbund.checkpoints.fairseq import FairseqCheckpoint
from sprachbund.errors import CheckpointError
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.unit_checkpoints import Layout, is_speech_units, read_unit_checkpoint, to_original
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.vocabulary import Vocabulary

TEXT = SymbolTokenizer(Vocabulary(f"s{number}" for number in range(VOCAB_SIZE - 4)))
COPY, HEAD = "unit_encoder.embed_tokens.weight", "unit_encoder_ctc_head."


def stack_arguments(stack: Any) -> dict[str, Any]:
    return {
        "embed_dim": stack.dim, "ffn_embed_dim": stack.ffn_dim, "layers": stack.num_layers,
        "attention_heads": stack.num_heads, "normalize_before": stack.norm_first, "layerdrop": stack.layerdrop,
    }  # fmt: skip


def arguments_of(model: SpeechUnitModel) -> tuple[dict[str, Any], dict[str, Any]]:
    """By the original names: of the model, and of fine-tuning around it."""
    config, decoder = model.config, model.config.decoder or DECODER
    transformer = {
        "max_source_positions": config.max_unit_positions,
        "no_token_positional_embeddings": config.max_unit_positions is None,
        "no_scale_embedding": not config.scale_unit_embedding,
        "layernorm_embedding": config.has_unit_embedding_norm,
        "share_decoder_input_output_embed": config.share_decoder_embeddings,
        "encoder": stack_arguments(config.unit_encoder) | {"learned_pos": True},
        "decoder": stack_arguments(decoder),
    }
    layers = config.conv_layers
    arguments = {
        "encoder_embed_dim": STACK.dim, "encoder_ffn_embed_dim": STACK.ffn_dim, "encoder_layers": STACK.num_layers,
        "encoder_attention_heads": STACK.num_heads, "layer_norm_first": config.encoder.norm_first,
        "extractor_mode": "layer_norm" if config.conv_norm == "layer" else "default",
        "conv_feature_layers": " + ".join(f"[{layer}]" for layer in layers), "final_dim": config.unit_dim,
        "conv_pos": config.position_kernel, "conv_pos_groups": config.position_groups,
        "label_rate": "${task.label_rate}", "text_transformer": transformer,
    }  # fmt: skip
    outer = {f"decoder_{name}": value for name, value in stack_arguments(decoder).items()}
    return arguments, {"w2v_args": {}, **outer}


# The originals have these distances in their code.
DISTANCES: dict[str, Any] = {
    "encoder": {"max_relative_distance": 160},
    "unit_encoder": {"max_relative_distance": 160},
    "decoder": {"max_relative_distance": 24},
}


def original_model(kind: str, **changes: Any) -> SpeechUnitModel:
    """A model of `KINDS` as the originals can have it."""
    own = KINDS[kind][1] | changes
    stacks = {"encoder": own.get("encoder", STACK), "unit_encoder": own.get("unit_encoder", STACK)}
    if own.get("decoder") is not None:
        stacks["decoder"] = own["decoder"]
    stacks = {name: replace(stack, **DISTANCES[name]) for name, stack in stacks.items()}
    return build(kind, **{**changes, **stacks})


def read(model: SpeechUnitModel, layout: Layout, more: dict[str, Any] | None = None, **changes: Any) -> Any:
    """Write `model` in a layout of the originals, and read it back."""
    weights = to_original(model.state_dict(), model.config, layout) | (more or {})
    arguments, outer = arguments_of(model)
    checkpoint = FairseqCheckpoint(
        Path("nowhere/model.pt"),
        "some",
        {**arguments, **changes},
        {"label_rate": 25, "normalize": True, "sample_rate": 16000},
        True,
        {name: weight for name, weight in weights.items() if weight is not None},
        fine_tuning={} if layout == "pretrained" else outer,
    )
    assert is_speech_units(checkpoint.weights)
    return read_unit_checkpoint(checkpoint, None if model.config.vocab_size is None else TEXT)


def same_states(found: Any, model: SpeechUnitModel) -> bool:
    again = type(model)(found.config)
    again.load_state_dict(dict(found.weights))
    again.eval()
    waveforms = torch.randn(1, 3000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = (one.encode_speech(waveforms, torch.tensor([3000])).states for one in (again, model))
    return torch.allclose(ours, theirs, atol=1e-5)


# Which family has which layouts.
LAYOUTS = [
    ("speechut", "pretrained"), ("speechut", "hybrid"), ("speechut", "translation"), ("speechlm", "pretrained"),
    ("speechlm", "ctc"), ("speechlm_large", "pretrained"), ("speechlm_large", "ctc"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "layout"), LAYOUTS)
def test_every_layout_goes_there_and_back(kind: str, layout: Layout):
    model = original_model(kind)
    found = read(model, layout, {"encoder.w2v_model.unit_encoder.version": None})
    assert (found.kind, found.guesses, found.unused) == (kind.partition("_")[0], (), ())
    assert found.weights.keys() == model.state_dict().keys()
    assert all(torch.equal(found.weights[name], weight) for name, weight in model.state_dict().items())
    assert (found.config.unit_rate, found.config.is_normalized) == (25.0, True)
    assert (found.config.vocab_size, found.config.num_units) == (VOCAB_SIZE, NUM_UNITS)
    assert found.tokenizer.vocabulary == TEXT.vocabulary
    assert len(found.copies) == 1 + (5 if layout in ("ctc", "hybrid") else 0)
    assert any(name.endswith(COPY) for name in found.copies)
    assert same_states(found, model)
    again = to_original(found.weights, found.config, layout)
    assert again.keys() == to_original(model.state_dict(), model.config, layout).keys()


def test_the_layouts_have_the_names_of_fairseq():
    names = {
        layout: set(to_original(model.state_dict(), model.config, layout))
        for layout in get_args(Layout)
        for model in [original_model("speechut")]
    }
    assert "unit_encoder_ctc_head.5.bias" in names["pretrained"]
    assert {"w2v_encoder.w2v_model.mask_emb", "w2v_encoder.proj.5.bias", "w2v_encoder.proj.3.2.weight"} <= names["ctc"]
    assert {"encoder.w2v_model.decoder.pos_emb.pe_k.weight", "encoder.proj.1.weight"} <= names["hybrid"]
    assert not any(name.startswith("encoder.proj.") for name in names["translation"])
    model = original_model("speechlm_two_labels")
    names["speechlm"] = set(to_original(model.state_dict(), model.config, "translation"))
    assert {"encoder.w2v_model.mask_emb", "decoder.layers.0.fc1.weight"} <= names["speechlm"]


def test_a_translating_speechlm_loses_the_head_of_another_dictionary():
    model = original_model("speechlm", decoder=replace(DECODER, norm_first=True))
    more = {f"encoder.w2v_model.{HEAD}5.weight": torch.ones(9, STACK.dim)}
    found = read(model, "translation", more)
    heads = {name for name in to_original(model.state_dict(), model.config, "translation") if HEAD in name}
    assert (set(found.unused), len(heads)) == (heads, 5)
    assert (found.config.has_ctc_head, found.config.vocab_size, found.config.blank) == (False, VOCAB_SIZE, None)
    assert found.config.decoder == replace(model.config.decoder, dropout=0.0, attention_dropout=0.0)
    assert same_states(found, model)


def test_two_sets_of_labels_are_told_from_one():
    model = original_model("speechlm_two_labels", decoder=None)
    assert read(model, "pretrained").config.num_top_units == 11
    one = original_model("speechlm")
    assert read(one, "pretrained").config.num_top_units is None
    assert read(one, "pretrained", labels=["phn", "km"]).config.num_top_units == NUM_UNITS
    assert read(one, "pretrained", labels=["km"]).config.num_top_units is None


@pytest.mark.parametrize("said", [-1, None, "???"])
def test_a_task_that_knows_no_rate_leaves_it_to_the_model(said: Any):
    model = original_model("speechut")
    weights = to_original(model.state_dict(), model.config, "pretrained")
    arguments = {**arguments_of(model)[0], "label_rate": 100}
    checkpoint = FairseqCheckpoint(Path("m.pt"), None, arguments, {"label_rate": said}, True, weights)
    assert read_unit_checkpoint(checkpoint, TEXT).config.unit_rate == 100.0
    nothing = replace(checkpoint, model={**arguments, "label_rate": said})
    assert read_unit_checkpoint(nothing, TEXT).config.unit_rate == 50.0


@pytest.mark.parametrize("kind", ["speechlm", "speechlm_large"])
def test_the_standalone_file_holds_an_encoder_alone(kind: str):
    model = original_model(kind, num_units=None, has_ctc_head=False, vocab_size=None)
    heads = {f"final_proj_list.{n}.{part}": torch.ones(9) for n in (0, 1) for part in ("weight", "bias")}
    found = read(model, "pretrained", heads)
    assert set(found.unused) == set(heads)
    assert (found.config.num_units, found.config.vocab_size, found.tokenizer, found.copies) == (None, None, None, ())
    assert found.weights.keys() == model.state_dict().keys()
    assert same_states(found, model)


def test_what_reads_no_text_takes_no_dictionary():
    model = original_model("speechlm", num_units=None, has_ctc_head=False, vocab_size=None)
    weights = to_original(model.state_dict(), model.config, "pretrained")
    checkpoint = FairseqCheckpoint(Path("m.pt"), None, arguments_of(model)[0], {}, True, weights)
    with pytest.raises(CheckpointError, match=r"nothing that knows text.*given: a dictionary of 21 symbols"):
        read_unit_checkpoint(checkpoint, TEXT)


def test_without_arguments_the_published_ones_are_taken():
    model = original_model("speechut")
    checkpoint = FairseqCheckpoint(
        Path("m.pt"), None, {}, {}, False, to_original(model.state_dict(), model.config, "hybrid")
    )
    found = read_unit_checkpoint(checkpoint, TEXT)
    assert (found.config.encoder.dim, found.config.unit_rate, found.config.vocab_size) == (768, 50.0, VOCAB_SIZE)
    assert found.guesses == ("all but the sizes of dictionaries, as in the published base model",)


@pytest.mark.parametrize("layout", ["ctc", "hybrid"])
def test_copies_must_be_what_they_copy(layout: Layout):
    model = original_model("speechlm" if layout == "ctc" else "speechut")
    outer = "w2v_encoder." if layout == "ctc" else "encoder."
    with pytest.raises(CheckpointError, match=r"proj\.5\.bias' and '.*ctc_head\.5\.bias' should be the same"):
        read(model, layout, {f"{outer}proj.5.bias": torch.ones(VOCAB_SIZE)})
    with pytest.raises(CheckpointError, match=r"parts that the package does not have.*given: .*proj\.weight"):
        read(model, layout, {f"{outer}proj.weight": torch.ones(2)})
    with pytest.raises(CheckpointError, match="two weights would both be called 'mask_emb'"):
        read(model, layout, {"mask_emb": torch.ones(2)})


def test_parts_within_the_stacks_are_not_left_out_silently():
    model = original_model("speechut")
    for name in (
        "encoder.layers.0.adapter.weight",
        "decoder.project_in_dim.weight",
        "feature_extractor.x",
        "layer_norm.0.g",
    ):
        with pytest.raises(CheckpointError, match=f"parts that the package does not have.*given: {name}"):
            read(model, "pretrained", {name: torch.ones(1)})
    marks = {"decoder.version": torch.ones(1), "unit_encoder.version": torch.ones(1), "step": torch.ones(1)}
    marks["decoder.embed_positions._float_tensor"] = torch.ones(1)
    assert set(read(model, "pretrained", marks).unused) == set(marks)


def test_other_models_are_not_taken_for_these():
    assert not is_speech_units({"encoder.layers.0.self_attn.k_proj.weight": torch.ones(1), "mask_emb": torch.ones(1)})
