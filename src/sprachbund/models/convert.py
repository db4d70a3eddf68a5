"""Models that other tools have trained, made into model folders of ours."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sprachbund.checkpoints.fairseq import FairseqCheckpoint, read_fairseq
from sprachbund.checkpoints.store import CONFIG, StoredModel
from sprachbund.checkpoints.transformers_folder import is_transformers_folder
from sprachbund.config import to_mapping
from sprachbund.errors import CheckpointError
from sprachbund.models.foreign import read_foreign
from sprachbund.models.hubert.fairseq_keys import from_fairseq, is_fairseq_hubert
from sprachbund.models.language_model import keys as language_model
from sprachbund.models.speecht5.keys import config_from_original, key_table
from sprachbund.models.table import build_any
from sprachbund.models.text_to_unit import keys as text_to_unit
from sprachbund.models.unit_checkpoints import is_speech_units, read_unit_checkpoint
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import Vocabulary

# Named in fairseq's SpeechT5 alone.
_SPEECHT5_MARK, _TEXT, _UNITS, _SPEAKERS = (
    "speech_encoder_prenet.mask_emb",
    "text_encoder_prenet.encoder_prenet.0.weight",
    "hubert_layer.label_embs_concat",
    "speaker_decoder_postnet.output_projection.weight",
)


@dataclass(frozen=True)
class Converted:
    """A model in our form, and what got lost on the way."""

    stored: StoredModel
    unused: tuple[str, ...]  # original names of weights that have no place in the model
    guesses: tuple[str, ...]  # what the source did not say, as clauses
    copies: tuple[str, ...] = ()  # original names of weights that another name holds as well


@dataclass(frozen=True)
class _Source:
    """A kind of file or folder: what it is called, how it is recognised, and how it is read."""

    name: str
    is_this: Callable[[Path], bool]
    convert: Callable[[Path, TextTokenizer | None], Converted]


def convert(path: Path, tokenizer: TextTokenizer | None = None) -> Converted:
    """Read a foreign checkpoint, whatever kind it is.

    Args:
        path: file or folder.
        tokenizer: for models of text, whose checkpoints do not hold one.

    Raises:
        CheckpointError: nothing there, an unknown kind, or a model that this package does not have.
    """
    if not path.exists():
        raise CheckpointError("there is nothing to convert", where=path, mend="Check the path.")
    for source in _SOURCES:
        if source.is_this(path):
            converted = source.convert(path, tokenizer)
            build_any(converted.stored, where=str(path))
            return converted
    raise CheckpointError(
        "this is no kind of model that can be converted",
        where=path,
        given=_describe(path),
        mend=f"Known are: {', '.join(source.name for source in _SOURCES)}.",
    )


def _describe(path: Path) -> str:
    if path.is_file():
        return "a file"
    if (path / CONFIG).is_file() and (path / "model.safetensors").is_file():
        return "a folder with config.json, perhaps a model folder of sprachbund, which needs no conversion"
    names = sorted(inner.name for inner in path.iterdir())
    return f"a folder of {', '.join(names[:5]) or 'nothing'}"


def _convert_fairseq(path: Path, tokenizer: TextTokenizer | None) -> Converted:
    checkpoint = read_fairseq(path)
    if is_speech_units(checkpoint.weights):
        return _convert_speech_units(checkpoint, tokenizer)
    if is_fairseq_hubert(checkpoint.weights):
        return _convert_hubert(checkpoint)
    if _SPEECHT5_MARK in checkpoint.weights:
        return _convert_speecht5(checkpoint, tokenizer)
    if text_to_unit.is_text_to_unit(checkpoint):
        return _convert_text_to_unit(checkpoint, tokenizer)
    if language_model.is_language_model(checkpoint):
        return _convert_language_model(checkpoint, tokenizer)
    names = list(checkpoint.weights)
    raise CheckpointError(
        "this checkpoint of fairseq holds another kind of model",
        where=path,
        given=f"{checkpoint.architecture or 'unnamed'}, with {', '.join(names[:3])} and {len(names) - 3} more weights",
        mend="HuBERT, wav2vec 2.0, SpeechT5, SpeechLM, SpeechUT, FastText2Unit and language models can be converted.",
    )


def _convert_hubert(checkpoint: FairseqCheckpoint) -> Converted:
    found = from_fairseq(checkpoint)
    stored = StoredModel("hubert", to_mapping(found.config), found.weights, None)
    return _with_facts(Converted(stored, found.unused, found.guesses), checkpoint)


def _convert_speecht5(checkpoint: FairseqCheckpoint, tokenizer: TextTokenizer | None) -> Converted:
    rows = {name: len(checkpoint.weights[name]) for name in (_TEXT, _UNITS, _SPEAKERS) if name in checkpoint.weights}
    if tokenizer is None or len(tokenizer.vocabulary) != rows.get(_TEXT):
        raise CheckpointError(
            "a SpeechT5 checkpoint does not hold its dictionary, without which it can do nothing",
            where=checkpoint.path,
            given="none" if tokenizer is None else f"{len(tokenizer.vocabulary)} symbols, wanted {rows.get(_TEXT)}",
            mend="Give --dictionary dict.txt and --pieces spm_char.model, as published with the checkpoint.",
        )
    arguments: dict[str, Any] = {**checkpoint.task, **checkpoint.model}
    with _described(checkpoint):
        config = config_from_original(arguments, rows[_TEXT], rows.get(_UNITS), num_speakers=rows.get(_SPEAKERS))
    config = replace(config, is_normalized=bool(arguments.get("normalize", False)), original_numerics=False)
    renamed = key_table(config).to_ours(checkpoint.weights)
    weights = {new: checkpoint.weights[old] for old, new in renamed.names.items()}
    stored = StoredModel("speecht5", to_mapping(config), weights, tokenizer)
    guesses = () if checkpoint.has_arguments else ("all but the sizes of dictionaries, as in the published base model",)
    return _with_facts(Converted(stored, renamed.unused, guesses), checkpoint)


def _convert_speech_units(checkpoint: FairseqCheckpoint, tokenizer: TextTokenizer | None) -> Converted:
    with _described(checkpoint):
        found = read_unit_checkpoint(checkpoint, tokenizer)
    config = replace(found.config, original_numerics=False)
    stored = StoredModel(found.kind, to_mapping(config), found.weights, found.tokenizer)
    return _with_facts(Converted(stored, found.unused, found.guesses, found.copies), checkpoint)


def _convert_text_to_unit(checkpoint: FairseqCheckpoint, tokenizer: TextTokenizer | None) -> Converted:
    num_phones, num_units = (len(checkpoint.weights[name]) for name in (text_to_unit.PHONES, text_to_unit.UNITS))
    if tokenizer is None or len(tokenizer.vocabulary) != num_phones:
        raise CheckpointError(
            "a FastText2Unit checkpoint does not hold its dictionary of phones, without which it can do nothing",
            where=checkpoint.path,
            given="none" if tokenizer is None else f"{len(tokenizer.vocabulary)} symbols, wanted {num_phones}",
            mend="Give --dictionary dict.phn.txt, as published with the checkpoint.",
        )
    with _described(checkpoint):
        config = text_to_unit.config_from_original(checkpoint.model, num_phones, num_units)
    config = replace(config, original_numerics=False)
    renamed = text_to_unit.KEYS.to_ours(checkpoint.weights)
    if strange := [name for name in renamed.unused if not name.endswith(("._float_tensor", ".version"))]:
        raise CheckpointError(
            "a FastText2Unit checkpoint holds parts that this package does not have",
            where=checkpoint.path,
            given=", ".join(strange[:3]),
            mend="Models with speaker embeddings or a postnet cannot be converted.",
        )
    weights = {new: checkpoint.weights[old] for old, new in renamed.names.items()}
    stored = StoredModel("text_to_unit", to_mapping(config), weights, tokenizer)
    guesses = (
        () if checkpoint.has_arguments else ("all but the sizes of dictionaries, as in the published small model",)
    )
    return _with_facts(Converted(stored, renamed.unused, guesses), checkpoint)


def _convert_language_model(checkpoint: FairseqCheckpoint, tokenizer: TextTokenizer | None) -> Converted:
    num_symbols, beside = len(checkpoint.weights[language_model.EMBEDDINGS]), checkpoint.path.parent / "dict.txt"
    if tokenizer is None and beside.is_file():
        tokenizer = SymbolTokenizer(Vocabulary.from_fairseq(beside))
    if tokenizer is None or len(tokenizer.vocabulary) != num_symbols:
        raise CheckpointError(
            "a language model of fairseq does not hold its dictionary, without which it can do nothing",
            where=checkpoint.path,
            given="none" if tokenizer is None else f"{len(tokenizer.vocabulary)} symbols, wanted {num_symbols}",
            mend="Put dict.txt beside it, or give --dictionary dict.txt, as published with the checkpoint.",
        )
    with _described(checkpoint):
        config = language_model.config_from_original(checkpoint.model, checkpoint.weights)
    weights, unused = language_model.to_ours(checkpoint.weights, config)
    stored = StoredModel("language_model", to_mapping(config), weights, tokenizer)
    guesses = () if checkpoint.has_arguments else ("all but the sizes of dictionaries, as fairseq has them usually",)
    return _with_facts(Converted(stored, unused, guesses), checkpoint)


@contextmanager
def _described(checkpoint: FairseqCheckpoint) -> Iterator[None]:
    """A block that reads the arguments of a checkpoint.

    Raises:
        CheckpointError: they are of other types, or do not go together.
    """
    try:
        yield
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            "the arguments of this checkpoint describe no model", where=checkpoint.path, given=reason
        ) from None


def _with_facts(converted: Converted, checkpoint: FairseqCheckpoint) -> Converted:
    stored = converted.stored
    with checkpoint.path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    facts = {
        "source": f"{checkpoint.path.name}, a checkpoint of fairseq",
        "architecture": checkpoint.architecture or "not said",
        "source_sha256": digest,
    }
    card = _card(stored.kind, facts, converted)
    return replace(converted, stored=replace(stored, facts=facts, card=card))


def _card(kind: str, facts: dict[str, str], converted: Converted) -> str:
    lines = [f"# {kind}, converted", "", "Not trained here: see its publisher for data, licence and limits.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    if converted.guesses:
        lines += ["", "The source did not say, so these were taken: " + "; ".join(converted.guesses) + "."]
    if converted.unused:
        lines += ["", "Weights of the source that have no place here:", "", *(f"- `{one}`" for one in converted.unused)]
    if converted.copies:
        lines += [
            "",
            "Weights of the source that others hold as well:",
            "",
            *(f"- `{one}`" for one in converted.copies),
        ]
    return "\n".join([*lines, ""])


def _convert_transformers(path: Path, _: TextTokenizer | None) -> Converted:
    found = read_foreign(path)
    facts = dict(found.facts)
    stored = StoredModel("hubert", to_mapping(found.encoder.config), found.encoder.state_dict(), None, facts)
    converted = Converted(stored, found.unused, found.guesses)
    return replace(converted, stored=replace(stored, card=_card(stored.kind, facts, converted)))


# One line a kind.
_SOURCES: tuple[_Source, ...] = (
    _Source("checkpoints of fairseq", Path.is_file, _convert_fairseq),
    _Source("folders of transformers", is_transformers_folder, _convert_transformers),
)
