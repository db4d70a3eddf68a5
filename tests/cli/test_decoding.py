from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from sprachbund.cli.decoding import DecodingOptions, set_threads
from sprachbund.cli.options import takes_options
from sprachbund.decoding.recognition.config import DecodingConfig, FusedModel
from sprachbund.errors import RecipeError
from sprachbund.serving.settings import write_settings

TUNED = DecodingConfig(
    method="joint", beam=7, ctc_weight=0.4, language_models=(FusedModel(path="/models/lm", weight=0.3),)
)


def test_what_is_not_said_is_usual():
    assert DecodingOptions().config() == DecodingConfig()


def test_options_become_a_configuration():
    options = DecodingOptions(
        decoder="joint",
        beam=3,
        lm=[Path("lm"), Path("words.arpa")],
        lm_weight=[0.2, 0.6],
        ctc_weight=0.5,
        length_bonus=-1.0,
        lexicon=Path("words.txt"),
        batch_seconds=7.5,
    )
    models = (FusedModel(path="lm", weight=0.2), FusedModel(path="words.arpa", weight=0.6))
    assert options.config(timestamps=True, num_best=2) == DecodingConfig(
        method="joint",
        beam=3,
        language_models=models,
        ctc_weight=0.5,
        length_bonus=-1.0,
        lexicon="words.txt",
        batch_seconds=7.5,
        timestamps=True,
        num_best=2,
    )


def test_a_language_model_without_a_weight_has_the_usual_one():
    config = DecodingOptions(decoder="joint", lm=[Path("lm")]).config()
    assert config.language_models == (FusedModel(path="lm"),)


def test_settings_are_read_and_options_change_them(tmp_path: Path):
    write_settings(tmp_path / "decoding.json", TUNED, {})
    settings = {"settings": tmp_path / "decoding.json"}
    assert DecodingOptions(**settings).config() == TUNED
    assert DecodingOptions(**settings, beam=2).config().beam == 2
    other = DecodingOptions(**settings, lm_weight=[0.9]).config()
    assert other.language_models == (FusedModel(path="/models/lm", weight=0.9),)
    other = DecodingOptions(**settings, lm=[Path("mine")]).config()
    assert other.language_models == (FusedModel(path="mine"),)
    with pytest.raises(RecipeError, match="decoder ctc has no use for beam"):
        DecodingOptions(**settings, decoder="ctc").config()


@pytest.mark.parametrize("lm", [None, [], [Path("a")], [Path("a"), Path("b"), Path("c")]])
def test_there_is_one_weight_a_language_model(lm: list[Path] | None):
    with pytest.raises(RecipeError, match="one weight a language model"):
        DecodingOptions(decoder="joint", lm=lm, lm_weight=[0.1, 0.2]).config()


def test_an_unknown_decoder_is_refused():
    with pytest.raises(RecipeError, match=r"no such decoder.*given: greedy.*ctc, ctc-beam, attention, joint"):
        DecodingOptions(decoder="greedy").config()


def test_a_verb_takes_them_from_the_command_line():
    app, seen = typer.Typer(), list[DecodingOptions]()

    @app.command()
    @takes_options
    def verb(decoding: DecodingOptions) -> None:
        seen.append(decoding)

    words = ["--decoder", "joint", "--beam", "4", "--lm", "a", "--lm", "b", "--lm-weight", "0.5"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert seen == [DecodingOptions(decoder="joint", beam=4, lm=[Path("a"), Path("b")], lm_weight=[0.5])]
    for wrong in (["--beam", "0"], ["--lm-weight", "-1"], ["--ctc-weight", "2"], ["--batch-seconds", "0"]):
        assert CliRunner().invoke(app, wrong).exit_code == 2


def test_threads_are_set_where_asked_for(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    set_threads(0)
    set_threads(3)
    assert asked == [3]
