"""Recognisers of random weights that say something, and what joins them in a search: models of language, words."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import tiny
from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import to_mapping
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.models.language_model.config import TransformerLanguageConfig
from sprachbund.models.language_model.model import TransformerLanguageModel
from sprachbund.shapes import Array
from sprachbund.tokens.text import CharacterTokenizer, TextTokenizer

# From less than one frame to a second and a half, two of the same length.
SAMPLES = (9000, 399, 400, 24_000, 5000, 12_345, 9000, 719, 16_000)
# A bigram model of words, as anyone may write it.
ARPA = """\\data\\
ngram 1=7
ngram 2=4

\\1-grams:
-99 <s> -0.3
-1.2 </s>
-2.0 <unk>
-0.8 bad -0.2
-0.7 cab -0.2
-1.1 a
-1.3 deed

\\2-grams:
-0.4 <s> bad
-0.3 bad cab
-0.6 cab </s>
-0.9 <s> a

\\end\\
"""


def waveforms(samples: tuple[int, ...] = SAMPLES) -> list[Array]:
    """Tones, each another one."""
    return [tiny.tone(length, seed) for seed, length in enumerate(samples)]


def outspoken_recognizer(seed: int = 0, **changes: Any) -> Recognizer:
    """Random weights that say something: large heads, and a blank that is not always the likeliest."""
    model = tiny.tiny_model(seed, share_ctc_embeddings=False, share_embeddings=False, **changes)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for head in (model.ctc_head, model.text_head):
            head.weight.copy_(2 * torch.randn(head.weight.shape, generator=generator))
        for name, weight in model.encoder.named_parameters():
            if weight.dim() > 1 and "positions" not in name:
                weight.mul_(8.0)
    return Recognizer(model, tiny.character_tokenizer())


def write_recognizer(folder: Path, seed: int = 0) -> Path:
    """The model folder of an `outspoken_recognizer`; return the folder."""
    recognizer = outspoken_recognizer(seed)
    config = to_mapping(recognizer.model.config)
    facts = {"stage": "recognition"}
    tokenizer = tiny.character_tokenizer()
    save_model(folder, StoredModel("speecht5", config, recognizer.model.state_dict(), tokenizer, facts))
    return folder


def write_language_model(folder: Path, seed: int = 0, letters: str | None = None) -> Path:
    """The model folder of a neural language model with sharp preferences; of other letters where they are given."""
    tokenizer: TextTokenizer = tiny.character_tokenizer() if letters is None else CharacterTokenizer.train([letters])
    config = TransformerLanguageConfig.tiny(len(tokenizer.vocabulary))
    config = replace(config, decoder=replace(config.decoder, dim=16, ffn_dim=24, num_layers=1, num_heads=2))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = TransformerLanguageModel(replace(config, share_embeddings=False))
        model.head.weight.data.normal_(std=1.0)
    plain = to_mapping(model.config)
    save_model(folder, StoredModel("language_model", plain, model.state_dict(), tokenizer, {"stage": "language"}))
    return folder


def write_arpa(path: Path) -> Path:
    """An n-gram model of words of the letters that the recogniser knows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ARPA)
    return path


def write_lexicon(path: Path) -> Path:
    """Words, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("bad\ncab\nCab\na\ndeed\nace\nfed\n")
    return path
