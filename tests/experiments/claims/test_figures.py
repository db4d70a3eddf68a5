from pathlib import Path

import pytest

from experiments.claims_folder import shared_of, write_errors, write_translations
from sprachbund.experiments.claims.data import SharedData
from sprachbund.experiments.claims.figures import collect


def test_of_nothing_nothing_is_known(tmp_path: Path) -> None:
    found = collect(shared_of(tmp_path))
    assert (found.errors, found.translations, found.contrasts) == ((), (), ())
    # Rows that learn from no units need not wait for any.
    assert set(found.supervision) == {"none", "none-ctc", "encoder-decoder"}
    assert set(found.supervision.values()) == {("none",)}


def test_units_of_speech_alone_bring_nothing_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = shared_of(tmp_path)
    note = shared.places.note("prepare-speechlm-h")
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text("{}")
    monkeypatch.setattr(SharedData, "supervision", lambda _, data: [f"what {data} has"])
    found = collect(shared).supervision
    assert found["speechlm-h"] == ("what speechlm-h has",)
    for name in ("speechlm-h-without-text", "hubert", "speecht5"):
        (told,) = found[name]
        assert told.startswith("none: its units are clusters")
    assert "speechut" not in found


def test_rows_are_compared_with_their_own_baseline(tmp_path: Path) -> None:
    shared = shared_of(tmp_path)
    write_errors(shared, "none", [20])
    write_errors(shared, "none-ctc", [10])
    write_errors(shared, "hubert", [5, 15])
    found = {(each.row, each.test_set, each.search): each for each in collect(shared).errors}
    assert len(found) == 3 * 4
    hubert = found["hubert", "asterisk", "lm"]
    assert set(hubert.cer.values) == {1, 2}
    assert hubert.cer.mean == pytest.approx(sum(hubert.cer.values.values()) / 2)
    assert hubert.cer_difference is not None
    # Over the one seed that both have.
    expected = hubert.cer.values[1] - found["none-ctc", "asterisk", "lm"].cer.mean
    assert hubert.cer_difference.difference == pytest.approx(expected)
    assert found["none", "asterisk", "lm"].cer_difference is None
    assert (hubert.blank_rate, found["hubert", "asterisk", "ctc"].blank_rate) == (None, 0.5)


def test_a_row_is_shown_before_its_baseline_is_there(tmp_path: Path) -> None:
    shared = shared_of(tmp_path)
    write_errors(shared, "speechut", [3])
    found = collect(shared)
    assert {(each.row, each.cer_difference, each.wer_difference) for each in found.errors} == {("speechut", None, None)}
    assert found.contrasts == ()


def test_contrasts_need_both_rows(tmp_path: Path) -> None:
    shared = shared_of(tmp_path)
    write_errors(shared, "speechlm-h", [3, 4])
    write_errors(shared, "speechlm-h-without-text", [6])
    found = collect(shared).contrasts
    assert {(each.contrast.row, each.contrast.against) for each in found} == {("speechlm-h", "speechlm-h-without-text")}
    assert len(found) == 4
    assert all(each.cer.difference < 0 and each.num_seeds == 1 for each in found)


def test_translations_are_compared_with_no_pretraining(tmp_path: Path) -> None:
    shared = shared_of(tmp_path)
    write_translations(shared, "none", [20, 20])
    write_translations(shared, "speechlm-p", [4])
    baseline, row = collect(shared).translations
    assert (baseline.row, baseline.difference, baseline.difference_lower_cased) == ("none", None, None)
    assert row.difference is not None
    assert row.difference.difference == pytest.approx(row.scores["BLEU"].values[1] - baseline.scores["BLEU"].values[1])
    assert row.difference.difference > 0
    assert set(row.signatures) == set(row.scores) == {"BLEU", "BLEU-lc", "chrF", "chrF-lc"}
    assert "case:lc" in row.signatures["BLEU-lc"]
