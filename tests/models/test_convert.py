from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from fairseq_files import checkpoint, dictionary, hubert_arguments, namespace, omegaconf, task_arguments, write
from models.hubert.test_fairseq_keys import CONFIG, model_of
from models.language_model.sizes import VOCAB_SIZE
from models.language_model.sizes import build as build_lm
from models.language_model.test_keys import ARGUMENTS as LM_ARGUMENTS
from models.language_model.test_keys import original as original_lm
from models.speech_units.sizes import NUM_UNITS
from models.test_unit_checkpoints import TEXT, arguments_of, original_model
from models.text_to_unit.sizes import NUM_PHONES, UNUSED, build, phones
from sprachbund.checkpoints.store import load_model, save_model
from sprachbund.errors import CheckpointError
from sprachbund.models.convert import convert
from sprachbund.models.foreign import write_transformers
from sprachbund.models.hubert.fairseq_keys import to_fairseq
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.speecht5.keys import key_table
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.models.table import build_language_model, build_model, build_text_model
from sprachbund.models.text_to_unit.keys import KEYS
from sprachbund.models.text_to_unit.model import TextToUnit
from sprachbund.models.unit_checkpoints import to_original
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.vocabulary import Vocabulary

WAVEFORM = torch.from_numpy(tiny.tone(5000))[None], torch.tensor([5000])


def write_hubert(path: Path, *, half: bool = False, more: dict[str, Any] | None = None) -> Path:
    weights = to_fairseq(model_of(CONFIG).state_dict(), CONFIG) | (more or {})
    weights = {name: weight.half() if half else weight for name, weight in weights.items()}
    arguments = {"model": hubert_arguments(latent_temp=[2, 0.5, 0.9]), "task": task_arguments()}
    return write(path, checkpoint(weights, cfg=omegaconf(arguments)))


@pytest.mark.parametrize("half", [False, True])
def test_a_hubert_of_fairseq_becomes_a_model_folder(half: bool, tmp_path: Path):
    source = write_hubert(tmp_path / "teacher.pt", half=half, more={"quantizer.vars": torch.ones(2)})
    converted = convert(source)
    assert converted.unused == ("quantizer.vars",)
    save_model(tmp_path / "model", converted.stored)
    stored = load_model(tmp_path / "model")
    assert stored.kind == "hubert"
    assert stored.tokenizer is None
    assert stored.facts["architecture"] == "hubert"
    assert "teacher.pt" in stored.card
    assert "`quantizer.vars`" in stored.card
    model, original = build_model(stored, where="here"), model_of(CONFIG)
    with torch.no_grad():
        ours, theirs = model.encode_speech(*WAVEFORM).states, original.encode_speech(*WAVEFORM).states
    torch.testing.assert_close(ours, theirs, atol=2e-2 if half else 1e-6, rtol=0)
    assert isinstance(model, Hubert)


def speecht5_arguments(**changes: Any) -> dict[str, Any]:
    """Arguments of `tiny.tiny_config`, by the original names."""
    sizes = {f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in (
        ("embed_dim", 32), ("ffn_embed_dim", 64), ("attention_heads", 2), ("layerdrop", 0.0),
        ("max_relative_position", 20),
    )}  # fmt: skip
    return {
        **sizes, "encoder_layers": 2, "decoder_layers": 1, "attention_dropout": 0.0, "feature_grad_mult": 1.0,
        "conv_feature_layers": "[(16,10,5)] + [(16,3,2)] * 4 + [(16,2,2)] * 2", "conv_pos": 16, "conv_pos_groups": 4,
        "dprenet_units": 16, "postnet_layers": 2, "postnet_chans": 8, "spk_embed_dim": 8, "final_dim": 16,
        "use_codebook": True, "latent_vars": 8, "label_rates": 100, "arch": "t5_transformer_base",
        "sid_no_pooling_bn": True, "sid_no_embed_postnet": True,
    } | changes  # fmt: skip


def write_speecht5(path: Path, **changes: Any) -> Path:
    model = tiny.tiny_model()
    renamed = key_table(model.config).to_original(model.state_dict())
    weights = {renamed.names[name]: weight for name, weight in model.state_dict().items()}
    return write(path, checkpoint(weights, args=namespace(**speecht5_arguments(**changes))))


def test_a_speecht5_becomes_a_model_folder(tmp_path: Path):
    converted = convert(write_speecht5(tmp_path / "speecht5.pt"), tiny.character_tokenizer())
    assert converted.unused == ()
    save_model(tmp_path / "model", converted.stored)
    model, original = build_model(load_model(tmp_path / "model"), where="here"), tiny.tiny_model()
    assert isinstance(model, SpeechT5)
    assert model.config == original.config
    with torch.no_grad():
        ours, theirs = (one.ctc_logits(one.encode_speech(*WAVEFORM)) for one in (model, original))
    assert torch.equal(ours, theirs)


def test_a_speecht5_wants_its_dictionary(tmp_path: Path):
    source = write_speecht5(tmp_path / "speecht5.pt")
    with pytest.raises(CheckpointError, match=r"does not hold its dictionary.*given: none.*--dictionary"):
        convert(source)
    other = tiny.CharacterTokenizer.train(["ab"])
    with pytest.raises(CheckpointError, match=rf"given: {len(other.vocabulary)} symbols, wanted"):
        convert(source, other)


def test_arguments_that_do_not_fit_the_weights_are_refused(tmp_path: Path):
    with pytest.raises(CheckpointError, match="weights do not fit the model"):
        convert(write_speecht5(tmp_path / "speecht5.pt", encoder_layers=3), tiny.character_tokenizer())
    with pytest.raises(CheckpointError, match="spk_embed_integration_type"):
        convert(write_speecht5(tmp_path / "s.pt", spk_embed_integration_type="add"), tiny.character_tokenizer())
    for name, value in (("encoder_layers", "many"), ("dropout", [1]), ("latent_temp", "warm"), ("label_rates", {})):
        with pytest.raises(CheckpointError):
            convert(write_speecht5(tmp_path / "s.pt", **{name: value}), tiny.character_tokenizer())


def write_speechut(path: Path, more: dict[str, Any] | None = None, **kept: Any) -> Path:
    """A SpeechUT fine-tuned for CTC and decoder, in fairseq's layout."""
    model = original_model("speechut")
    weights = to_original(model.state_dict(), model.config, "hybrid") | (more or {})
    arguments, _ = arguments_of(model)
    task = task_arguments(label_rate=25, normalize=True)
    inner = {"model": arguments | {"label_rate": 50}, "task": task}
    cfg = omegaconf({"model": {"_name": "speechut_asr", "w2v_args": inner}, "task": {"label_rate": -1}})
    return write(path, checkpoint(weights, cfg=cfg, task_state=kept))


def test_a_speechut_becomes_a_model_folder(tmp_path: Path):
    source = write_speechut(tmp_path / "speechut.pt", {"encoder.w2v_model.decoder.version": torch.ones(1)})
    converted = convert(source, TEXT)
    assert converted.unused == ("encoder.w2v_model.decoder.version",)
    assert len(converted.copies) == 6
    assert "encoder.proj.5.bias" in converted.copies
    save_model(tmp_path / "model", converted.stored)
    stored = load_model(tmp_path / "model")
    assert (stored.kind, stored.facts["architecture"]) == ("speechut", "speechut_asr")
    assert "`encoder.proj.5.bias`" in stored.card
    model, original = build_model(stored, where="here"), original_model("speechut", original_numerics=False)
    assert (model.config.is_normalized, model.config.unit_rate, model.config.original_numerics) == (True, 25.0, False)
    with torch.no_grad():
        ours, theirs = (one.ctc_logits(one.encode_speech(*WAVEFORM)) for one in (model, original))
    torch.testing.assert_close(ours, theirs)


def test_a_speechut_may_keep_its_dictionaries(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"needs its dictionary.*given: none"):
        convert(write_speechut(tmp_path / "speechut.pt"))
    source = write_speechut(tmp_path / "kept.pt", target_dictionary=dictionary(TEXT.vocabulary.symbols))
    assert convert(source).stored.tokenizer.vocabulary == TEXT.vocabulary
    units = Vocabulary(str(number) for number in range(NUM_UNITS - 5))
    units.save(tmp_path / "dict.km.txt")
    assert convert(source, TEXT).stored.kind == "speechut"
    Vocabulary("ab").save(tmp_path / "dict.km.txt")
    with pytest.raises(CheckpointError, match=r"dictionary of units beside.*given: 6 symbols, the model has 17"):
        convert(source, TEXT)


def test_a_speechut_whose_arguments_lie_is_refused(tmp_path: Path):
    model = original_model("speechut")
    weights = to_original(model.state_dict(), model.config, "pretrained")
    arguments, _ = arguments_of(model)
    for name, value in (
        ("encoder_layers", 3), ("encoder_layers", "many"), ("dropout", [1]), ("text_transformer", 5), ("conv_pos", "?"),
        ("final_dim", "wide"), ("encoder_attention_heads", 0), ("feature_grad_mult", "x"), ("target_glu", True),
        ("text_transformer", {"encoder": {"embed_dim": None}}), ("logit_temp", -1.0),
    ):  # fmt: skip
        wrong = namespace(**{**arguments, name: value, "label_rate": 50})
        with pytest.raises(CheckpointError):
            convert(write(tmp_path / "s.pt", checkpoint(weights, args=wrong)), TEXT)


PHONES = SymbolTokenizer(Vocabulary(f"P{number}" for number in range(NUM_PHONES - 4)))


def text_to_unit_arguments(**changes: Any) -> dict[str, Any]:
    """Arguments of `build`'s model, by the original names."""
    return {
        "dropout": 0.0, "encoder_embed_dim": 12, "decoder_embed_dim": 12, "encoder_layers": 2, "decoder_layers": 1,
        "encoder_attention_heads": 2, "decoder_attention_heads": 3, "fft_hidden_dim": 20, "fft_kernel_size": 5,
        "var_pred_hidden_dim": 7, "var_pred_n_bins": 5, "var_pred_dropout": 0.0, "arch": "fasttext2unit_s",
        "output_frame_dim": -1, "pitch_max": 1.0,
    } | changes  # fmt: skip


def text_to_unit_model() -> TextToUnit:
    """With weights for pitch and energy that it does not use, as published ones have."""
    return build(**{name: replace(config, num_bins=5) for name, config in UNUSED.items()})


def write_text_to_unit(path: Path, more: dict[str, Any] | None = None, **changes: Any) -> Path:
    state = text_to_unit_model().state_dict()
    weights = {theirs: state[ours] for ours, theirs in KEYS.to_original(state).names.items()}
    weights["encoder.embed_positions._float_tensor"] = torch.zeros(1)
    return write(path, checkpoint(weights | (more or {}), args=namespace(**text_to_unit_arguments(**changes))))


def test_a_text_to_unit_becomes_a_model_folder(tmp_path: Path):
    converted = convert(write_text_to_unit(tmp_path / "t2u.pt"), PHONES)
    assert converted.unused == ("encoder.embed_positions._float_tensor",)
    assert converted.guesses == ()
    save_model(tmp_path / "model", converted.stored)
    stored = load_model(tmp_path / "model")
    assert (stored.kind, stored.facts["architecture"]) == ("text_to_unit", "fasttext2unit_s")
    assert stored.tokenizer is not None
    assert stored.tokenizer.vocabulary == PHONES.vocabulary
    model, original = build_text_model(stored, where="here"), text_to_unit_model()
    assert isinstance(model, TextToUnit)
    assert not model.config.original_numerics
    with torch.no_grad():
        ours, theirs = (one.predict_units(*phones([5, 3])).logits for one in (model, original))
    assert torch.equal(ours, theirs)


def test_a_text_to_unit_wants_its_dictionary(tmp_path: Path):
    source = write_text_to_unit(tmp_path / "t2u.pt")
    with pytest.raises(CheckpointError, match=r"dictionary of phones.*given: none.*--dictionary dict\.phn\.txt"):
        convert(source)
    with pytest.raises(CheckpointError, match="given: 6 symbols, wanted 13"):
        convert(source, SymbolTokenizer(Vocabulary("AB")))


def test_a_text_to_unit_that_is_more_or_less_is_refused(tmp_path: Path):
    source = write_text_to_unit(tmp_path / "t2u.pt", more={"encoder.spk_emb_proj.weight": torch.ones(2, 2)})
    with pytest.raises(CheckpointError, match=r"parts that this package does not have.*encoder\.spk_emb_proj"):
        convert(source, PHONES)
    with pytest.raises(CheckpointError, match="add_postnet"):
        convert(write_text_to_unit(tmp_path / "t2u.pt", add_postnet=True), PHONES)
    for name, value in (
        ("encoder_layers", 3), ("encoder_layers", "many"), ("dropout", [1]), ("fft_kernel_size", 4), ("use_pitch", "?"),
        ("decoder_embed_dim", 24), ("encoder_attention_heads", 0), ("pitch_min", 7), ("encoder_embed_dim", None),
    ):  # fmt: skip
        with pytest.raises(CheckpointError):
            convert(write_text_to_unit(tmp_path / "t2u.pt", **{name: value}), PHONES)


LETTERS = SymbolTokenizer(Vocabulary("abcdefghi"))


def write_lm(path: Path, more: dict[str, Any] | None = None, **changes: Any) -> Path:
    marks = {"decoder.version": torch.ones(1)}
    arguments = {"_name": "transformer_lm", **LM_ARGUMENTS, **changes}
    return write(path, checkpoint(original_lm() | marks | (more or {}), cfg=omegaconf({"model": arguments})))


@pytest.mark.parametrize("place", ["given", "beside"])
def test_a_language_model_becomes_a_model_folder(place: str, tmp_path: Path):
    source = write_lm(tmp_path / "lm.pt")
    if place == "beside":
        LETTERS.vocabulary.save(tmp_path / "dict.txt")
    converted = convert(source, LETTERS if place == "given" else None)
    assert converted.unused == ("decoder.version",)
    assert converted.guesses == ()
    save_model(tmp_path / "model", converted.stored)
    stored = load_model(tmp_path / "model")
    assert (stored.kind, stored.facts["architecture"]) == ("language_model", "transformer_lm")
    assert stored.tokenizer is not None and stored.tokenizer.vocabulary == LETTERS.vocabulary
    model, original = build_language_model(stored, where="here"), build_lm()
    tokens = torch.arange(2, VOCAB_SIZE)[None]
    with torch.no_grad():
        assert torch.equal(model.predict_next(tokens), original.predict_next(tokens))


def test_a_language_model_wants_its_dictionary(tmp_path: Path):
    source = write_lm(tmp_path / "lm.pt")
    with pytest.raises(CheckpointError, match=r"does not hold its dictionary.*given: none.*dict\.txt beside it"):
        convert(source)
    with pytest.raises(CheckpointError, match="given: 6 symbols, wanted 13"):
        convert(source, SymbolTokenizer(Vocabulary("AB")))


def test_a_language_model_that_is_more_or_less_is_refused(tmp_path: Path):
    for name, value in (
        ("decoder_layers", 3), ("decoder_layers", "many"), ("adaptive_input", True), ("dropout", [1]),
        ("decoder_attention_heads", 0), ("decoder_normalize_before", False),
    ):  # fmt: skip
        with pytest.raises(CheckpointError):
            convert(write_lm(tmp_path / "lm.pt", **{name: value}), LETTERS)
    converted = convert(write_lm(tmp_path / "lm.pt", more={"decoder.extra.weight": torch.ones(1)}), LETTERS)
    assert converted.unused == ("decoder.version", "decoder.extra.weight")


def test_other_models_of_fairseq_are_refused_with_their_name(tmp_path: Path):
    weights = {"encoder.embed_tokens.weight": torch.ones(2, 2), "encoder.version": torch.ones(1)}
    source = write(tmp_path / "roberta.pt", checkpoint(weights, args=namespace(arch="roberta_base")))
    with pytest.raises(CheckpointError, match=r"another kind of model.*roberta_base, with encoder\.embed_tokens"):
        convert(source)


def test_what_is_there_is_named_where_it_is_not_known(tmp_path: Path):
    with pytest.raises(CheckpointError, match="nothing to convert"):
        convert(tmp_path / "none.pt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CheckpointError, match=r"no kind of model.*a folder of nothing.*Known are"):
        convert(tmp_path / "folder")
    (tmp_path / "folder" / "notes.txt").touch()
    with pytest.raises(CheckpointError, match=r"a folder of notes\.txt"):
        convert(tmp_path / "folder")
    (tmp_path / "file.txt").write_text("hello")
    with pytest.raises(CheckpointError, match="not a file of"):
        convert(tmp_path / "file.txt")


def test_our_own_model_folders_need_no_conversion(tmp_path: Path):
    with pytest.raises(CheckpointError, match="needs no conversion"):
        convert(tiny.write_model_folder(tmp_path / "model"))


def test_a_folder_of_transformers_becomes_a_model_folder(tmp_path: Path):
    original = model_of(CONFIG)
    lost = write_transformers(original, tmp_path / "theirs")
    converted = convert(tmp_path / "theirs")
    assert all(name.startswith("unit_predictor.") for name in lost)
    assert converted.stored.kind == "hubert"
    assert "theirs, a folder of transformers" in converted.stored.card
    kept = {name: weight for name, weight in original.state_dict().items() if name not in lost}
    assert converted.stored.weights.keys() == kept.keys()
    assert all(torch.equal(converted.stored.weights[name], weight) for name, weight in kept.items())
