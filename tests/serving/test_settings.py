import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.recognition.config import DecodingConfig, FusedModel
from sprachbund.errors import RecipeError, SprachbundError
from sprachbund.serving.settings import read_settings, write_settings

JOINT = DecodingConfig(
    method="joint",
    beam=7,
    ctc_weight=0.4,
    length_bonus=-0.5,
    length_penalty=0.5,
    tokens_per_second=20.0,
    num_best=3,
)


def with_files(folder: Path) -> DecodingConfig:
    models = (FusedModel(path=str(folder / "lm"), weight=0.3), FusedModel(path=str(folder / "a" / "w.arpa"), weight=1))
    return DecodingConfig(method="ctc-beam", language_models=models, lexicon=str(folder / "words.txt"))


@pytest.mark.parametrize("config", [DecodingConfig(), DecodingConfig(method="ctc-beam", beam=16), JOINT])
def test_what_is_written_is_read_back(config: DecodingConfig, tmp_path: Path):
    write_settings(tmp_path / "deep" / "decoding.json", config, {"note": "größer"})
    assert read_settings(tmp_path / "deep" / "decoding.json") == config
    content = json.loads((tmp_path / "deep" / "decoding.json").read_text("utf-8"))
    assert content["note"] == "größer"
    assert content["settings"]["method"] == config.method


def test_what_belongs_to_a_machine_or_a_call_is_not_written(tmp_path: Path):
    config = DecodingConfig(batch_seconds=3.0, timestamps=True, precision="bf16")
    write_settings(tmp_path / "decoding.json", config, {})
    assert json.loads((tmp_path / "decoding.json").read_text()) == {"settings": {"method": "ctc"}}
    assert read_settings(tmp_path / "decoding.json") == DecodingConfig()


def test_a_folder_with_settings_and_models_may_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    old, new = tmp_path / "old", tmp_path / "new"
    write_settings(old / "settings" / "decoding.json", with_files(old), {})
    assert str(tmp_path) not in (old / "settings" / "decoding.json").read_text()
    shutil.move(old, new)
    assert read_settings(new / "settings" / "decoding.json") == with_files(new)
    # Where a command is run changes nothing either.
    monkeypatch.chdir(new)
    relative = read_settings(Path("settings/decoding.json"))
    assert [Path(model.path).resolve() for model in relative.language_models] == [new / "lm", new / "a" / "w.arpa"]
    write_settings(Path("again.json"), relative, {})
    assert read_settings(new / "again.json") == with_files(new)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1, 2]", "no settings"),
        ("{}", "no settings"),
        ('{"settings": 3}', "no settings"),
        ('{"settings": {"bean": 3}}', "'bean' is not known.*Did you mean 'beam'"),
        ('{"settings": {"beam": "3"}}', "'beam' cannot be used"),
        ('{"settings": {"method": "guess"}}', "'method' cannot be used"),
        ('{"settings": {"method": "ctc", "beam": 3}}', "decoder ctc has no use for beam"),
        ('{"settings": {"method": "joint", "beam": 0}}', "beam makes no sense"),
        ('{"settings": {"method": "joint", "ctc_weight": NaN}}', "finite number"),
        ('{"settings": {"method": "joint", "language_models": [{"weight": 1.0}]}}', "path"),
    ],
)
def test_broken_settings_are_named(content: str, told: str, tmp_path: Path):
    (tmp_path / "mine.json").write_text(content)
    with pytest.raises(RecipeError, match=told) as caught:
        read_settings(tmp_path / "mine.json")
    assert "mine.json" in str(caught.value)


def test_settings_that_are_not_there_are_named(tmp_path: Path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(RecipeError, match=r"settings cannot be read.*tune-decoding"):
            read_settings(path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["path", "weight", "a"]), inner),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings") / "decoding.json"


@settings(deadline=None, max_examples=40)
@given(
    chosen=st.dictionaries(
        st.sampled_from(["method", "beam", "language_models", "lexicon", "ctc_weight", "precision", "x"]), VALUES
    )
)
def test_any_mapping_gives_settings_or_an_error_of_ours(file: Path, chosen: dict[str, Any]):
    file.write_text(json.dumps({"settings": chosen}), "utf-8")
    try:
        assert isinstance(read_settings(file), DecodingConfig)
    except SprachbundError as error:
        assert "decoding.json" in str(error)
