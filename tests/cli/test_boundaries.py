import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sprachbund.cli.tokens import app
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.evaluation import spoken_sentences

pytest.importorskip("pocketsphinx", reason="needs the extra alignment")
pytest.importorskip("espeakng_loader", reason="needs the extra espeak")


def test_pocketsphinx_finds_phones_of_synthetic_speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the fifty sentences; all of them are measured in docs/phonemes.md."""
    monkeypatch.setattr(spoken_sentences, "SENTENCES", spoken_sentences.SENTENCES[:2])
    told, kept = tmp_path / "figures.json", tmp_path / "speech"
    done = CliRunner().invoke(app, ["boundaries", "--json", str(told), "--speech", str(kept)])
    assert done.exit_code == 0, done.output
    figures = json.loads(told.read_text("utf-8"))
    assert figures["median_ms"] < 40
    assert figures["within_40"] > 0.6
    assert figures["matched_phones"] > 0.7 * figures["true_phones"]
    assert f"median {figures['median_ms']:.1f} ms off" in done.stdout
    assert len(list(read_cuts(kept / "true.jsonl.gz"))) == len(list(read_cuts(kept / "found.jsonl.gz"))) == 8
