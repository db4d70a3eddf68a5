"""Units of lines of phones: the same in any number of processes and shards, and every line accounted for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import paired_speech
import tiny
from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import from_mapping, merge, to_mapping
from sprachbund.data.paired_units import Pairing
from sprachbund.data.text.blocks import transform_lines
from sprachbund.data.text.fields import IdsField, TextField
from sprachbund.data.text.store import LineStore
from sprachbund.data.text.writer import new_store
from sprachbund.data.units import Shard
from sprachbund.decoding.text_to_units import MOST_PHONES, UnitsOfPhones, load_unit_writer, phones_of, units_of
from sprachbund.errors import CheckpointError, DataError, VocabularyError
from sprachbund.models.sequence.config import SequenceConfig
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.models.text_to_unit.config import TextToUnitConfig
from sprachbund.models.text_to_unit.model import TextToUnit
from sprachbund.tokens.phones import PHONES, phone_vocabulary
from sprachbund.tokens.reduction import reduced
from sprachbund.tokens.symbols import SymbolTokenizer

VOCABULARY = phone_vocabulary(places=False)
PAIRING = Pairing(fingerprint=tiny.unit_model().fingerprint, frame_shift=0.01)
KINDS = ("text_to_unit", "sequence")


def write_model(folder: Path, kind: str = "text_to_unit", pairing: Pairing = PAIRING, duration: float = 1.3) -> Path:
    """A model folder of random weights; phones last for about exp(duration) - 1 units."""
    num_units = tiny.NUM_UNITS + 4
    torch.manual_seed(2)
    if kind == "sequence":
        plain = merge(to_mapping(SequenceConfig.tiny(len(VOCABULARY), num_units)), paired_speech.SEQUENCE_SIZE)
        model: Any = SequenceModel(from_mapping(SequenceConfig, plain, "test"))
        # Some lines end soon, some at once, some never.
        with torch.no_grad():
            model.target_prenet.embedding.weight.mul_(0.1)
            for name, parameter in model.named_parameters():
                if "decoder" in name and parameter.dim() > 1:
                    parameter.normal_()
    else:
        plain = merge(to_mapping(TextToUnitConfig.tiny(len(VOCABULARY), num_units)), paired_speech.TEXT_TO_UNIT_SIZE)
        model = TextToUnit(from_mapping(TextToUnitConfig, plain, "test"))
        with torch.no_grad():
            list(model.duration_predictor.parameters())[-1].fill_(duration)
    facts = {"stage": "test", "num_units": tiny.NUM_UNITS, **pairing.facts()}
    save_model(folder, StoredModel(kind, plain, model.state_dict(), SymbolTokenizer(VOCABULARY), facts))
    return folder


def write_phones(folder: Path, num_lines: int = 150, settings: dict[str, Any] | None = None) -> Path:
    generator = np.random.default_rng(1)
    fields = {"phones": IdsField.of_symbols(VOCABULARY), "text": TextField()}
    with new_store(folder, fields, {"settings": {"work": settings or {}}}) as store:
        for number in range(num_lines):
            ids = generator.integers(4, len(VOCABULARY), generator.integers(1, 12))
            store.add({"phones": ids.tolist(), "text": f"line {number}"})
    return folder


def content(store: LineStore) -> list[tuple[list[int], str]]:
    return [(store.tokens("units", number).tolist(), store.text("text", number)) for number in range(len(store))]


@pytest.mark.parametrize("kind", KINDS)
def test_units_do_not_depend_on_shards(kind: str, tmp_path: Path) -> None:
    work = UnitsOfPhones.load(write_model(tmp_path / "model", kind))
    source = f"{write_phones(tmp_path / 'phones')}#phones"
    whole = transform_lines(source, work, tmp_path / "whole")
    assert whole.store is not None and whole.made + sum(whole.rejected.values()) == 150
    assert whole.made > 75
    assert kind != "sequence" or "the generator finds no end" in whole.rejected
    for number in (2, 1):
        outcome = transform_lines(source, work, tmp_path / "parts", shard=Shard(number, 2))
    assert outcome.store is not None
    assert (tmp_path / "parts" / "store.json").read_bytes() == (tmp_path / "whole" / "store.json").read_bytes()
    found = content(whole.store)
    assert content(outcome.store) == found
    assert all(0 <= min(units) <= max(units) < tiny.NUM_UNITS for units, _ in found)
    field = whole.store.ids_field("units", tiny.unit_model().fingerprint)
    assert field.is_reduced is (kind == "sequence")
    assert {text for _, text in found} <= {f"line {number}" for number in range(150)}


@pytest.mark.slow
def test_units_do_not_depend_on_processes(tmp_path: Path) -> None:
    work = UnitsOfPhones.load(write_model(tmp_path / "model"))
    source = f"{write_phones(tmp_path / 'phones')}#phones"
    stores = [transform_lines(source, work, tmp_path / str(jobs), jobs=jobs).store for jobs in (1, 2)]
    assert stores[0] is not None and stores[1] is not None
    assert content(stores[0]) == content(stores[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_has_the_units_that_it_has_alone(kind: str, tmp_path: Path) -> None:
    _, model = load_unit_writer(write_model(tmp_path / "model", kind))
    rows = [[4, 9, 30], [7], [11, 12, 40, 41, 5, 6]]
    together = units_of(model, rows)
    for row, found in zip(rows, together, strict=True):
        [alone] = units_of(model, [row])
        assert (alone is None) == (found is None)
        assert alone is None or alone.tolist() == found.tolist()


def test_every_line_without_units_is_counted_and_listed(tmp_path: Path) -> None:
    lines = ["HH AH L OW", "", "HH ʃ", " ".join(["AA"] * (MOST_PHONES + 1)), f"{PHONES[3]} SIL"]
    text = tmp_path / "phones.txt"
    text.write_text("\n".join(lines) + "\n", "utf-8")
    outcome = transform_lines(text, UnitsOfPhones.load(write_model(tmp_path / "model")), tmp_path / "units")
    assert (outcome.lines, outcome.made) == (5, 2)
    assert outcome.rejected == {
        "a phone that the model does not know": 1,
        f"more than {MOST_PHONES} phones": 1,
        "no phone": 1,
    }
    assert outcome.store is not None
    # Without a text of their own, lines keep their phones.
    assert [text for _, text in content(outcome.store)] == [lines[0], lines[4]]
    listed = [json.loads(line) for line in (tmp_path / "units" / "rejected.jsonl").read_text("utf-8").splitlines()]
    assert [(one["line"], one.get("detail")) for one in listed] == [(2, None), (3, "ʃ"), (4, str(MOST_PHONES + 1))]


def test_phones_that_last_for_nothing_give_no_unit(tmp_path: Path) -> None:
    text = tmp_path / "phones.txt"
    text.write_text("HH AH\n", "utf-8")
    silent = UnitsOfPhones.load(write_model(tmp_path / "model", duration=-30.0))
    with pytest.raises(DataError, match="1 of 1: no unit"):
        transform_lines(text, silent, tmp_path / "units")


def test_units_of_half_the_rate_have_another_fingerprint(tmp_path: Path) -> None:
    half = Pairing(fingerprint=PAIRING.fingerprint, frame_shift=0.01, keep_every=2)
    work = UnitsOfPhones.load(write_model(tmp_path / "model", pairing=half))
    assert work.fingerprint == f"{PAIRING.fingerprint}/2"
    assert UnitsOfPhones.load(write_model(tmp_path / "other")).fingerprint == PAIRING.fingerprint


def test_phones_of_another_vocabulary_or_repeated_ones_are_refused(tmp_path: Path) -> None:
    tokenizer = SymbolTokenizer(VOCABULARY)
    plain = write_phones(tmp_path / "plain", 3)
    assert phones_of(str(plain), tokenizer) == f"{plain}#phones"
    assert phones_of("lines.txt", tokenizer) == "lines.txt"
    with pytest.raises(VocabularyError, match="made by something else"):
        phones_of(str(plain), SymbolTokenizer(phone_vocabulary(places=True)))
    repeated = write_phones(tmp_path / "repeated", 3, {"durations": {"mean": 5}})
    with pytest.raises(DataError, match="the phones of this store are repeated"):
        phones_of(str(repeated), tokenizer)


def test_other_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="reads speech"):
        UnitsOfPhones.load(tiny.write_hubert_folder(tmp_path / "hubert"))
    folder = write_model(tmp_path / "model")
    header = json.loads((folder / "config.json").read_text("utf-8"))
    for changes in ({"num_units": tiny.NUM_UNITS + 1}, {"unit_model": None}, {"keep_every": "2"}):
        changed = {**header, "facts": {**header["facts"], **changes}}
        (folder / "config.json").write_text(json.dumps(changed), "utf-8")
        with pytest.raises(CheckpointError, match="does not say what units it makes"):
            UnitsOfPhones.load(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_reduced_units_are_the_others_without_repetitions(kind: str, tmp_path: Path) -> None:
    folder, phones = write_model(tmp_path / "model", kind), f"{write_phones(tmp_path / 'phones', 40)}#phones"
    whole, short = (
        transform_lines(phones, UnitsOfPhones.load(folder, is_reducing=is_reducing), tmp_path / str(is_reducing)).store
        for is_reducing in (False, True)
    )
    assert whole is not None and short is not None and len(whole) == len(short)
    assert short.ids_field("units").is_reduced
    for number in range(len(short)):
        units = short.tokens("units", number)
        assert units.tolist() == reduced(whole.tokens("units", number)).units.tolist()
        assert not (units[1:] == units[:-1]).any()
