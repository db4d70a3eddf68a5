import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fairseq_files import checkpoint, hubert_arguments, omegaconf, task_arguments, write
from sprachbund.checkpoints.fairseq import FairseqCheckpoint, read_fairseq
from sprachbund.errors import CheckpointError
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.hubert.fairseq_keys import from_fairseq, is_fairseq_hubert, key_table, to_fairseq
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.speech_encoder import waveform_layers
from sprachbund.models.table import check_weights
from sprachbund.nn.contrastive import ContrastiveHeadConfig
from sprachbund.nn.transformer import StackConfig

STACK = StackConfig(dim=32, ffn_dim=64, num_layers=2, num_heads=2, max_relative_distance=None)
CONFIG = HubertConfig(
    encoder=STACK, num_units=9, unit_dim=16, conv_layers=waveform_layers(16), position_kernel=16, position_groups=4
)
CONTRASTIVE = ContrastiveHeadConfig(
    groups=2, codes_per_group=5, code_dim=8, dim=16, codebook_temperature=(2.0, 0.5, 0.999), dropout=0.2
)
LARGE = replace(CONFIG, encoder=replace(STACK, norm_first=True), conv_norm="layer", conv_bias=True, is_normalized=True)
KINDS = {
    "base": (CONFIG, {}, {}),
    "large": (
        LARGE,
        {"extractor_mode": "layer_norm", "layer_norm_first": True, "conv_bias": True},
        {"normalize": True},
    ),
    "no_units": (replace(CONFIG, num_units=None, unit_dim=256), {}, {}),
    "mfcc": (replace(CONFIG, unit_rate=100.0), {}, {"label_rate": 100}),
    "contrastive": (
        replace(CONFIG, num_units=None, unit_dim=256, contrastive=CONTRASTIVE),
        {"latent_temp": "(2, 0.5, 0.999)", "dropout_features": 0.2},
        {},
    ),
    "frozen": (replace(CONFIG, frontend_gradient_scale=0.0), {"feature_grad_mult": 0.0}, {}),
}


def model_of(config: HubertConfig, seed: int = 0) -> Hubert:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Hubert(config).eval()


def read_back(path: Path, weights: dict[str, Tensor], **changes: Any) -> FairseqCheckpoint:
    model, task = hubert_arguments(**changes.pop("model", {})), task_arguments(**changes.pop("task", {}))
    return read_fairseq(
        write(path / "checkpoint.pt", checkpoint(weights, cfg={"model": model, "task": task}), **changes)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back_is_the_same(kind: str, tmp_path: Path):
    config, arguments, task = KINDS[kind]
    weights = model_of(config).state_dict()
    found = from_fairseq(read_back(tmp_path, to_fairseq(weights, config), model=arguments, task=task))
    assert found.config == config
    assert (found.unused, found.guesses) == ((), ())
    assert found.weights.keys() == weights.keys()
    assert all(torch.equal(found.weights[name], weight) for name, weight in weights.items())


def newer_spelling(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    spelled = {"pos_conv.0.weight_g": "original0", "pos_conv.0.weight_v": "original1"}
    return {
        name if (new := spelled.get(name.removeprefix("encoder."))) is None
        else f"encoder.pos_conv.0.parametrizations.weight.{new}": weight
        for name, weight in weights.items()
    }  # fmt: skip


def test_both_spellings_of_the_weight_norm_are_read(tmp_path: Path):
    weights = model_of(CONFIG).state_dict()
    newer = newer_spelling(to_fairseq(weights, CONFIG))
    assert "encoder.pos_conv.0.parametrizations.weight.original0" in newer
    found = from_fairseq(read_back(tmp_path, newer))
    assert found.weights.keys() == weights.keys()
    assert all(torch.equal(found.weights[name], weight) for name, weight in weights.items())
    with pytest.raises(CheckpointError, match="two weights would both be called"):
        from_fairseq(read_back(tmp_path, newer | to_fairseq(weights, CONFIG)))


# Names in fairseq of what transformers calls otherwise; its models are the ones compared with.
_NAMES = [
    (r"masked_spec_embed", "mask_emb"),
    (r"feature_projection\.layer_norm", "layer_norm"),
    (r"feature_projection\.projection", "post_extract_proj"),
    (r"(feature_extractor\.conv_layers\.\d+)\.conv", r"\1.0"),
    (r"(feature_extractor\.conv_layers\.\d+)\.layer_norm", r"\1.NORM"),
    (r"encoder\.pos_conv_embed\.conv", "encoder.pos_conv.0"),
    (r"(encoder\.layers\.\d+)\.attention", r"\1.self_attn"),
    (r"(encoder\.layers\.\d+)\.layer_norm", r"\1.self_attn_layer_norm"),
    (r"(encoder\.layers\.\d+)\.feed_forward\.intermediate_dense", r"\1.fc1"),
    (r"(encoder\.layers\.\d+)\.feed_forward\.output_dense", r"\1.fc2"),
]


def fairseq_name(name: str, norm: str) -> str:
    for pattern, new in _NAMES:
        name = re.sub(rf"^{pattern}(?=\.|$)", new, name)
    return name.replace("NORM", norm)


def foreign_model(family: str, *, large: bool) -> Any:
    """A random model of transformers, every weight of it random."""
    import transformers

    config_class, model_class = getattr(transformers, f"{family}Config"), getattr(transformers, f"{family}Model")
    config = config_class(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, feat_extract_norm="layer" if large else "group",
        conv_bias=large, do_stable_layer_norm=large,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = model_class(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("large", [False, True], ids=["base", "large"])
@pytest.mark.parametrize("family", ["Hubert", "Wav2Vec2"])
def test_features_are_those_of_another_implementation(family: str, large: bool, tmp_path: Path):
    theirs = foreign_model(family, large=large)
    weights = {fairseq_name(name, "2.1" if large else "2"): tensor for name, tensor in theirs.state_dict().items()}
    assert is_fairseq_hubert(weights)
    arguments = KINDS["large" if large else "base"][1]
    found = from_fairseq(read_back(tmp_path, weights, model=arguments, task={"normalize": large}))
    model = Hubert(found.config).eval()
    model.load_state_dict(dict(found.weights))
    for num_samples in (400, 5000, 16_001):
        waveforms = torch.randn(1, num_samples, generator=torch.Generator().manual_seed(num_samples))
        with torch.no_grad():
            states = theirs(waveforms, output_hidden_states=True)
            ours = model.encode_speech(waveforms, torch.tensor([num_samples])).states
            first = model.layer_states(waveforms, torch.tensor([num_samples]), [1]).states[0]
        torch.testing.assert_close(ours, states.last_hidden_state, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(first, states.hidden_states[1], atol=1e-5, rtol=1e-5)


def test_heads_without_a_place_are_named(tmp_path: Path):
    weights = to_fairseq(model_of(replace(CONFIG, num_units=None)).state_dict(), replace(CONFIG, num_units=None))
    heads = {name: torch.ones(2, 3) for name in ("quantizer.vars", "project_q.weight", "final_proj.weight")}
    found = from_fairseq(read_back(tmp_path, weights | heads))
    assert found.unused == tuple(heads)
    assert found.config.num_units is None


def test_quantizers_of_another_kind_are_named(tmp_path: Path):
    """With layers of their own, or with one codebook for all groups."""
    config = KINDS["contrastive"][0]
    weights = to_fairseq(model_of(config).state_dict(), config)
    heads = {name for name in weights if name.split(".")[0] in ("quantizer", "project_q", "final_proj")}
    for changes in ({"quantizer.weight_proj.weight": torch.ones(7, 16)}, {"quantizer.vars": torch.ones(1, 5, 4)}):
        found = from_fairseq(read_back(tmp_path, weights | changes))
        assert set(found.unused) == heads
        assert found.config.contrastive is None


def test_several_sets_of_units_are_named(tmp_path: Path):
    """Each of them has a projection of its own, all in one matrix."""
    weights = to_fairseq(model_of(CONFIG).state_dict(), CONFIG)
    weights["final_proj.weight"] = torch.ones(32, 32)
    found = from_fairseq(read_back(tmp_path, weights))
    assert set(found.unused) == {"final_proj.weight", "final_proj.bias", "label_embs_concat"}
    assert found.config.num_units is None


def test_the_encoder_of_a_fine_tuned_model_is_read(tmp_path: Path):
    weights = model_of(CONFIG).state_dict()
    tuned = {f"w2v_encoder.w2v_model.{name}": tensor for name, tensor in to_fairseq(weights, CONFIG).items()}
    tuned["w2v_encoder.proj.weight"] = torch.ones(5, 32)
    inner = {"model": hubert_arguments(latent_temp=[2, 0.5, 0.9]), "task": task_arguments(normalize=True)}
    cfg = omegaconf({"model": {"_name": "hubert_ctc", "w2v_args": inner}, "task": {"_name": "audio_finetuning"}})
    read = read_fairseq(write(tmp_path / "checkpoint.pt", checkpoint(tuned, cfg=cfg)))
    assert is_fairseq_hubert(read.weights)
    found = from_fairseq(read)
    assert found.config == replace(CONFIG, is_normalized=True)
    assert found.unused == ("w2v_encoder.proj.weight",)
    assert all(torch.equal(found.weights[name], weight) for name, weight in weights.items())


@pytest.mark.parametrize("kind", ["base", "large"])
def test_sizes_are_taken_from_the_weights_where_nothing_is_said(kind: str, tmp_path: Path):
    config = replace(KINDS[kind][0], encoder=replace(KINDS[kind][0].encoder, dim=128, num_heads=2))
    weights = model_of(config).state_dict()
    found = from_fairseq(read_fairseq(write(tmp_path / "c.pt", {"model": to_fairseq(weights, config)})))
    assert found.guesses == (
        "2 attention heads",
        f"layers that normalise {'first' if kind == 'large' else 'last'}",
        "waveforms as the published models want them",
    )
    for name in ("num_units", "unit_dim", "conv_layers", "conv_norm", "conv_bias", "position_kernel", "is_normalized"):
        assert getattr(found.config, name) == getattr(config, name), name
    assert found.config.encoder.norm_first == config.encoder.norm_first
    with torch.device("meta"):
        check_weights(Hubert(found.config), found.weights, "here")


@pytest.mark.parametrize("size", ["base", "large"])
def test_the_published_sizes_are_read_from_weights_alone(size: str):
    """Names and shapes of the published checkpoints, which have these numbers of weights."""
    config: HubertConfig = getattr(HubertConfig, size)()
    with torch.device("meta"):
        weights = Hubert(config).state_dict()
    original = to_fairseq(weights, config)
    found = from_fairseq(FairseqCheckpoint(Path("c.pt"), None, {}, {}, False, original))
    assert found.weights.keys() == weights.keys()
    assert found.config.encoder.num_heads == config.encoder.num_heads
    assert found.config.encoder.norm_first == config.encoder.norm_first
    assert round(sum(weight.numel() for weight in weights.values()) / 1e6) == {"base": 95, "large": 317}[size]


@pytest.mark.parametrize(
    ("part", "name", "value", "told"),
    [
        ("model", "layer_type", "conformer", "layer_type"),
        ("model", "pos_conv_depth", 5, "pos_conv_depth"),
        ("model", "target_glu", True, "target_glu"),
        ("model", "activation_fn", "glu", "activation_fn"),
        ("model", "extractor_mode", "layer_norm", "extractor_mode"),
        ("model", "extractor_mode", "batch", "extractor_mode"),
        ("model", "conv_feature_layers", "__import__('os')", "conv_feature_layers"),
        ("model", "conv_feature_layers", "[(16,10,5)]*99", "do not describe its weights"),
        ("model", "conv_feature_layers", "[(16,10,5)]", "do not describe its weights|weights do not fit"),
        ("model", "encoder_attention_heads", 3, "do not describe its weights"),
        ("model", "encoder_attention_heads", "many", "do not describe its weights"),
        ("model", "encoder_attention_heads", 0, "do not describe its weights"),
        ("model", "dropout", 7.0, "do not describe its weights"),
        ("model", "dropout_input", [1], "do not describe its weights"),
        ("model", "layer_norm_first", "yes", "do not describe its weights"),
        ("task", "sample_rate", 8000, "sample_rate"),
        ("task", "label_rate", "fast", "do not describe its weights"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit_are_refused(part: str, name: str, value: Any, told: str, tmp_path: Path):
    weights = to_fairseq(model_of(CONFIG).state_dict(), CONFIG)
    changes = {part: {"label_rate": 50} if name != "label_rate" and part == "model" else {}}
    changes[part][name] = value
    with pytest.raises(CheckpointError, match=told):
        found = from_fairseq(read_back(tmp_path, weights, **changes))
        check_weights(Hubert(found.config), found.weights, "here")


def test_encoders_of_another_kind_are_refused(tmp_path: Path):
    """WavLM has the same names and a few more; without these its features would be wrong."""
    weights = to_fairseq(model_of(CONFIG).state_dict(), CONFIG)
    for name in (
        "encoder.layers.0.self_attn.grep_linear.weight",
        "encoder.pos_conv.1.0.weight",
        "decoder.layers.0.fc1.bias",
    ):
        with pytest.raises(CheckpointError, match=f"parts that HuBERT.*given: {re.escape(name)}"):
            from_fairseq(read_back(tmp_path, weights | {name: torch.ones(2)}))
    for name in ("encoder.layers.0.fc1.weight", "encoder.pos_conv.0.weight_v"):
        with pytest.raises(CheckpointError, match="do not describe its weights"):
            from_fairseq(read_back(tmp_path, {other: weight for other, weight in weights.items() if other != name}))
    assert not is_fairseq_hubert({"encoder.layers.0.fc1.weight": torch.ones(1)})


def test_every_weight_has_a_name_in_fairseq():
    for kind, head in (("base", "units"), ("large", "units"), ("no_units", "none"), ("contrastive", "contrastive")):
        config = KINDS[kind][0]
        names = list(Hubert(config).state_dict())
        table = key_table(config.conv_norm, head)
        renamed = table.to_original(names)
        assert not renamed.unused
        assert len(set(renamed.names.values())) == len(names)
