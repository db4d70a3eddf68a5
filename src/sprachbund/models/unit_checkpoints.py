"""Original checkpoints of SpeechLM and SpeechUT, pre-trained or fine-tuned, and our weights in their layouts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sprachbund.checkpoints.fairseq import FairseqCheckpoint
from sprachbund.errors import CheckpointError
from sprachbund.models.checkpoint_text import check_units, find_tokenizer
from sprachbund.models.speech_units import keys as shared
from sprachbund.models.speechlm import keys as speechlm
from sprachbund.models.speechlm.config import SpeechLMConfig
from sprachbund.models.speechut import keys as speechut
from sprachbund.models.speechut.config import SpeechUTConfig
from sprachbund.shapes import Tensor
from sprachbund.tokens.text import TextTokenizer

Layout = Literal["pretrained", "ctc", "hybrid", "translation"]

_INNER, _DECODER = "w2v_model.", "decoder."
# What fine-tuning puts around the model (SpeechLM for CTC, all else), and whether it holds the CTC head once more.
_LAYOUTS: dict[Layout, tuple[str, bool]] = {
    "pretrained": ("", False),
    "ctc": ("w2v_encoder.", True),
    "hybrid": ("encoder.", True),
    "translation": ("encoder.", False),
}
_MARK = re.compile(r"((w2v_)?encoder\.w2v_model\.)?unit_encoder\.layers\.0\.self_attn\.k_proj\.weight")
# Leftovers that would be parts of what computes, not heads that nobody needs.
_STRANGE = re.compile(
    r"(feature_extractor|post_extract_proj|layer_norm|encoder|unit_encoder|decoder|w2v_encoder)\.(?!.*(_float_tensor|version)$).+"
)


_GUESS = "all but the sizes of dictionaries, as in the published base model"


@dataclass(frozen=True)
class UnitCheckpoint:
    """A checkpoint in our form."""

    kind: Literal["speechlm", "speechut"]
    config: SpeechLMConfig | SpeechUTConfig
    weights: Mapping[str, Tensor]
    tokenizer: TextTokenizer | None
    unused: tuple[str, ...]  # original names of weights that have no place
    copies: tuple[str, ...]  # of weights that another name holds as well
    guesses: tuple[str, ...]


class _Plain(NamedTuple):
    """Weights by the names that pre-training gives them."""

    weights: dict[str, Tensor]
    names: dict[str, str]  # those names -> the file's
    copies: tuple[str, ...]


def is_speech_units(weights: Mapping[str, Tensor]) -> bool:
    """Whether these are the weights of a SpeechLM or SpeechUT, fine-tuned or not."""
    return any(_MARK.fullmatch(name) for name in weights)


def read_unit_checkpoint(checkpoint: FairseqCheckpoint, tokenizer: TextTokenizer | None) -> UnitCheckpoint:
    """Our configuration and weights of a checkpoint of one of the two.

    Args:
        checkpoint: whatever `is_speech_units` says yes to.
        tokenizer: of its text; None for the one that the checkpoint keeps or that stands beside it.

    Raises:
        CheckpointError: it holds or asks for what this package does not have, or its dictionary is missing.
        ValueError: its arguments do not go together.
    """
    plain = _unwrap(checkpoint.weights)
    config = _config(checkpoint, plain.weights)
    found: shared.OriginalWeights
    if isinstance(config, SpeechLMConfig):
        found = shared.rename(speechlm.key_table(config), plain.weights)
    else:
        found = shared.rename(speechut.key_table(config), plain.weights)
    if strange := [name for name in found.unused if _STRANGE.fullmatch(name)]:
        raise CheckpointError(
            "this checkpoint holds parts that the package does not have",
            where=checkpoint.path,
            given=", ".join(plain.names[name] for name in strange[:3]),
            mend="Models of the published kinds can be converted: pre-trained, with CTC, with CTC and decoder, or "
            "for translation.",
        )
    if config.num_units is not None:
        check_units(checkpoint, config.num_units)
    return UnitCheckpoint(
        kind="speechlm" if isinstance(config, SpeechLMConfig) else "speechut",
        config=config,
        weights=found.weights,
        tokenizer=_tokenizer(checkpoint, tokenizer, config.vocab_size),
        unused=tuple(plain.names[name] for name in found.unused),
        copies=(*plain.copies, *(plain.names[name] for name in found.copies)),
        # A file that was stripped of what it was pre-trained with may still say how it was fine-tuned.
        guesses=() if "text_transformer" in checkpoint.model else (_GUESS,),
    )


def to_original(
    weights: Mapping[str, Tensor], config: SpeechLMConfig | SpeechUTConfig, layout: Layout
) -> dict[str, Tensor]:
    """Our weights by the names of an original checkpoint, with the copies that it holds."""
    outer, repeats_head = _LAYOUTS[layout]
    if isinstance(config, SpeechLMConfig):
        plain, outside = speechlm.to_original(weights, config), _DECODER
    else:
        plain, outside = speechut.to_original(weights, config), None
    if not outer:
        return plain
    prefix = f"{outer}{_INNER}"
    original = {
        name if outside is not None and name.startswith(outside) else f"{prefix}{name}": weight
        for name, weight in plain.items()
    }
    head = f"{prefix}{shared.CTC_HEAD}"
    copies = {f"{outer}proj.{name.removeprefix(head)}": name for name in original if name.startswith(head)}
    return original | {copy: original[name] for copy, name in copies.items() if repeats_head}


def _unwrap(weights: Mapping[str, Tensor]) -> _Plain:
    """Weights without what fine-tuning puts before their names; copies of the CTC head must be what they copy."""
    outers = [outer for outer, _ in _LAYOUTS.values() if outer]
    outer = next((one for one in outers if any(name.startswith(f"{one}{_INNER}") for name in weights)), None)
    if outer is None:
        return _Plain(dict(weights), {name: name for name in weights}, ())
    prefix, head = f"{outer}{_INNER}", f"{outer}proj."
    pairs = {name: f"{prefix}{shared.CTC_HEAD}{name.removeprefix(head)}" for name in weights if name.startswith(head)}
    copies = {copy: name for copy, name in pairs.items() if name in weights}
    shared.check_copies(weights, copies)
    names: dict[str, str] = {}
    for name in weights:
        plain = name.removeprefix(prefix)
        if name not in copies and plain in names:
            raise CheckpointError(
                f"two weights would both be called '{plain}'",
                given=f"{names[plain]} and {name}",
                mend="Remove one of them; the file mixes two models.",
            )
        if name not in copies:
            names[plain] = name
    return _Plain({plain: weights[name] for plain, name in names.items()}, names, tuple(copies))


def _config(checkpoint: FairseqCheckpoint, weights: Mapping[str, Tensor]) -> SpeechLMConfig | SpeechUTConfig:
    """Parts and dictionaries as the weights have them, all else as the arguments say."""
    is_speechlm = not any(name in weights for name in ("code_encoder_proj.weight", speechut.UNITS))
    has_decoder = shared.TEXT_EMBEDDINGS in weights
    # What reads the text of translation knows another dictionary than the head, which then is left over.
    has_head = shared.CTC_OUTPUT in weights and not (is_speechlm and has_decoder)
    output = shared.CTC_OUTPUT if has_head else shared.TEXT_EMBEDDINGS
    vocab_size = len(weights[output]) if output in weights else None
    has_units = (speechlm.UNITS if is_speechlm else speechut.UNITS) in weights and shared.UNIT_EMBEDDINGS in weights
    num_units = len(weights[shared.UNIT_EMBEDDINGS]) if has_units else None
    arguments = _arguments(checkpoint) | {"add_text_ctc": has_head, "add_decoder": has_decoder}
    if not is_speechlm:
        return speechut.config_from_original(arguments, vocab_size, num_units)
    return speechlm.config_from_original(
        arguments,
        vocab_size,
        num_units,
        num_top_units=_num_top_units(arguments, weights) if has_units else None,
        decoder=checkpoint.fine_tuning if has_decoder else None,
    )


def _arguments(checkpoint: FairseqCheckpoint) -> dict[str, Any]:
    """Those of the model and of the task that it was pre-trained in, which knows the rate of the labels."""
    task, rate = shared.said(checkpoint.task), checkpoint.task.get("label_rate")
    known = {"label_rate": rate} if isinstance(rate, int | float) and rate > 0 else {}
    return {**task, **shared.said(checkpoint.model), **known}


def _num_top_units(arguments: Mapping[str, Any], weights: Mapping[str, Tensor]) -> int | None:
    """Entries of the second dictionary; where one serves both places, its vectors are there twice."""
    labels, num_top = arguments.get("labels"), len(weights[speechlm.TOP_UNITS])
    has_two = isinstance(labels, list) and len(labels) > 1
    return num_top if has_two or num_top != len(weights[speechlm.UNITS]) else None


def _tokenizer(
    checkpoint: FairseqCheckpoint, given: TextTokenizer | None, num_symbols: int | None
) -> TextTokenizer | None:
    if num_symbols is not None:
        return find_tokenizer(checkpoint, given, num_symbols)
    if given is not None:
        raise CheckpointError(
            "this checkpoint holds nothing that knows text",
            where=checkpoint.path,
            given=f"a dictionary of {len(given.vocabulary)} symbols",
            mend="Leave --dictionary and --pieces out.",
        )
    return None
