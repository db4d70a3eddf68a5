"""The contrastive loss and its gradient against transformers, live: random weights, fixed distractors, no noise."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.data.batches.batch import ContrastiveBatch
from sprachbund.lengths import frames_from_samples
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.hubert.transformers_keys import config_from_transformers, rename
from sprachbund.nn.contrastive import ContrastiveHeadConfig
from sprachbund.objectives.contrastive import ContrastivePrediction
from sprachbund.objectives.masked_prediction import MaskedPredictionConfig
from sprachbund.shapes import Tensor

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "num_codevectors_per_group": 8,
    "num_codevector_groups": 2,
    "codevector_dim": 12,
    "proj_codevector_dim": 10,
    "num_negatives": 7,
}
STILL = ("hidden", "activation", "attention", "feat_proj", "feat_quantizer", "final")
HEADS = {
    "quantizer.codevectors": "quantizer.codebook",
    "quantizer.weight_proj": "quantizer.projection",
    "project_q": "code_projection",
    "project_hid": "state_projection",
}


def theirs(*, is_large: bool) -> Any:
    from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining

    torch.manual_seed(3)
    norms = {"do_stable_layer_norm": is_large, "feat_extract_norm": "layer" if is_large else "group"}
    still = {f"{name}_dropout": 0.0 for name in STILL}
    config = Wav2Vec2Config(**SIZES, **norms, **still, conv_bias=is_large, layerdrop=0.0, mask_time_prob=0.5)
    model = Wav2Vec2ForPreTraining(config).train()
    model.set_gumbel_temperature(2)
    with torch.no_grad():
        # Weights large enough that states differ from frame to frame.
        for parameter in model.wav2vec2.encoder.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def ours(model: Any) -> tuple[Hubert, dict[str, str]]:
    """The same model of ours, and our names by theirs."""
    content = model.config.to_dict() | {"model_type": "wav2vec2"}
    config = config_from_transformers(content, {})
    head = ContrastiveHeadConfig(groups=2, codes_per_group=8, code_dim=12, dim=10, dropout=0.0)
    built = Hubert(replace(config, num_units=None, contrastive=head, frontend_gradient_scale=1.0)).train()
    names, rest = rename(model.state_dict())
    for name in rest:
        for start, replacement in HEADS.items():
            if name.startswith(start):
                names[name] = f"contrastive_head.{name.replace(start, replacement)}"
    assert set(names) == set(model.state_dict())
    built.load_state_dict({names[name]: value for name, value in model.state_dict().items()})
    return built, names


def quiet_gumbel(logits: Tensor, tau: float, hard: bool) -> Tensor:
    """What `gumbel_softmax` is without its noise."""
    assert hard
    soft = (logits / tau).softmax(dim=-1)
    return F.one_hot(soft.argmax(dim=-1), logits.shape[-1]).float() + (soft - soft.detach())


@pytest.mark.parametrize("is_large", [False, True])
def test_loss_and_gradient_are_those_of_transformers(monkeypatch: pytest.MonkeyPatch, is_large: bool) -> None:
    monkeypatch.setattr(nn.functional, "gumbel_softmax", quiet_gumbel)
    monkeypatch.setattr("sprachbund.nn.quantizer._gumbel_noise", lambda like, seed: torch.zeros_like(like))
    reference = theirs(is_large=is_large)
    model, names = ours(reference)
    generator = torch.Generator().manual_seed(1)
    frames = frames_from_samples(6400)
    waveforms = torch.randn(2, 6400, generator=generator)
    mask = torch.rand(2, frames, generator=generator) < 0.6
    chosen = torch.stack(
        [row.nonzero()[:, 0][torch.randint(0, int(row.sum()), (frames, 7), generator=generator)] for row in mask]
    )
    expected = reference(
        waveforms,
        mask_time_indices=mask,
        sampled_negative_indices=chosen + frames * torch.arange(2)[:, None, None],
    )
    batch = ContrastiveBatch(
        ids=("a", "b"),
        waveforms=waveforms,
        waveform_lengths=torch.tensor([6400, 6400]),
        time_mask=mask,
        distractors=chosen.int(),
        seed=0,
    )
    objective = ContrastivePrediction(model, MaskedPredictionConfig(feature_penalty_weight=0.0))
    loss = objective(batch)
    terms = {term.name: term for term in loss.terms}
    count = mask.sum()
    torch.testing.assert_close(terms["contrastive"].sum, expected.contrastive_loss, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(terms["diversity"].sum * count, expected.diversity_loss, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(loss.total() * count, expected.loss, rtol=1e-5, atol=1e-5)
    expected.loss.backward()
    (loss.total() * count).backward()
    found = dict(model.named_parameters())
    gradients = {names[name]: value.grad for name, value in reference.named_parameters() if value.grad is not None}
    assert len(gradients) > 40
    largest = max(value.abs().max().item() for value in gradients.values())
    for name, value in gradients.items():
        assert found[name].grad is not None, name
        bound = 1e-3 * value.abs().max().item() + 1e-5 * largest
        assert (found[name].grad - value).abs().max() <= bound, name
