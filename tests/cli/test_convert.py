from pathlib import Path

import torch
from typer.testing import CliRunner, Result

import tiny
from fairseq_files import write
from models.test_convert import PHONES, write_hubert, write_speecht5, write_speechut, write_text_to_unit
from models.test_unit_checkpoints import TEXT
from sprachbund.checkpoints.fairseq import read_fairseq
from sprachbund.checkpoints.store import load_model
from sprachbund.cli.convert import app
from sprachbund.errors import CheckpointError
from sprachbund.models.features import EncoderFeatures, load_encoder
from sprachbund.tokens.text import SentencePieceTokenizer


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_teacher_is_converted_and_gives_features(tmp_path: Path):
    source = write_hubert(
        tmp_path / "teacher.pt", more={"project_q.weight": torch.ones(2), "quantizer.vars": torch.ones(1)}
    )
    result = run(source, tmp_path / "model")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "not used: project_q.weight",
        "not used: quantizer.vars",
        f"hubert of 0.0 million weights in {tmp_path / 'model'}",
    ]
    features = EncoderFeatures(load_encoder(tmp_path / "model"), 1)
    assert features(tiny.tone(1000)).shape == (2, 32)


def test_what_was_guessed_is_told(tmp_path: Path):
    weights = dict(read_fairseq(write_hubert(tmp_path / "teacher.pt")).weights)
    result = run(write(tmp_path / "bare.pt", {"model": weights}), tmp_path / "model")
    assert result.exit_code == 0, result.output
    assert "not said, taken: 1 attention heads" in result.output
    assert "1 attention heads" in (tmp_path / "model" / "README.md").read_text()


def test_a_speecht5_takes_its_dictionary(tmp_path: Path):
    tokenizer = SentencePieceTokenizer.train(tiny.LINES)
    (tmp_path / "spm.model").write_bytes(tokenizer._model)
    symbols = tokenizer.vocabulary.symbols[4:-2]
    (tmp_path / "dict.txt").write_text("".join(f"{symbol} 1\n" for symbol in symbols), "utf-8")
    assert len(tokenizer.vocabulary) == len(tiny.character_tokenizer().vocabulary)
    source, out = write_speecht5(tmp_path / "speecht5.pt"), tmp_path / "model"
    words = ("--pieces", tmp_path / "spm.model", "--dictionary", tmp_path / "dict.txt")
    result = run(source, out, *words)
    assert result.exit_code == 0, result.output
    stored = load_model(out)
    assert stored.tokenizer is not None
    assert stored.tokenizer.vocabulary == tokenizer.vocabulary


def test_a_text_to_unit_takes_its_dictionary_of_phones(tmp_path: Path):
    PHONES.vocabulary.save(tmp_path / "dict.phn.txt")
    source, out = write_text_to_unit(tmp_path / "t2u.pt"), tmp_path / "model"
    result = run(source, out, "--dictionary", tmp_path / "dict.phn.txt")
    assert result.exit_code == 0, result.output
    assert "text_to_unit of 0.0 million weights" in result.output
    stored = load_model(out)
    assert stored.tokenizer is not None
    assert stored.tokenizer.encode("P0 P3") == [4, 7]


def test_a_speechut_finds_the_dictionary_beside_it(tmp_path: Path):
    source, out = write_speechut(tmp_path / "speechut.pt"), tmp_path / "model"
    result = run(source, out)
    assert isinstance(result.exception, CheckpointError)
    assert not out.exists()
    TEXT.vocabulary.save(tmp_path / "dict.ltr.txt")
    result = run(source, out)
    assert result.exit_code == 0, result.output
    assert "a copy, not needed: encoder.proj.1.weight" in result.output.splitlines()
    assert result.output.splitlines()[-1].startswith("speechut of ")
    stored = load_model(out)
    assert stored.tokenizer is not None
    assert stored.tokenizer.vocabulary == TEXT.vocabulary


def test_pieces_take_their_numbers_from_the_dictionary_beside_the_source(tmp_path: Path):
    tokenizer = SentencePieceTokenizer.train(tiny.LINES)
    (tmp_path / "spm.model").write_bytes(tokenizer._model)
    symbols = tokenizer.vocabulary.symbols[4:-2]
    (tmp_path / "dict.txt").write_text("".join(f"{symbol} 1\n" for symbol in reversed(symbols)), "utf-8")
    result = run(write_speecht5(tmp_path / "speecht5.pt"), tmp_path / "model", "--pieces", tmp_path / "spm.model")
    assert result.exit_code == 0, result.output
    stored = load_model(tmp_path / "model")
    assert stored.tokenizer is not None
    assert stored.tokenizer.vocabulary.symbols[4:-2] == tuple(reversed(symbols))


def test_nothing_is_left_where_the_source_is_refused(tmp_path: Path):
    torch.save({"model": tiny.Trap(f"touch {tmp_path / 'marker'}")}, tmp_path / "trap.pt")
    for source in (tmp_path / "trap.pt", tmp_path / "none.pt", tiny.write_model_folder(tmp_path / "ours")):
        result = run(source, tmp_path / "model")
        assert isinstance(result.exception, CheckpointError), result
        assert str(source) in str(result.exception)
        assert not (tmp_path / "model").exists()
    assert not (tmp_path / "marker").exists()


def test_an_encoder_of_ours_goes_to_transformers_and_back(tmp_path: Path):
    assert run(write_hubert(tmp_path / "teacher.pt"), tmp_path / "model").exit_code == 0
    result = run(tmp_path / "model", tmp_path / "theirs", "--to", "transformers")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == f"a HuBERT of transformers in {tmp_path / 'theirs'}"
    assert run(tmp_path / "theirs", tmp_path / "again").exit_code == 0
    features = [EncoderFeatures(load_encoder(tmp_path / name), 1)(tiny.tone(4000)) for name in ("model", "again")]
    assert torch.equal(*map(torch.from_numpy, features))
