import json

import pytest
from typer.testing import CliRunner

import tiny
from decoding.phone_models import use_oracle, write_ctc_model, write_phone_model, write_spoken
from sprachbund.cli.main import main
from sprachbund.cli.tokens import app
from sprachbund.data.aligning.driver import align_cuts
from sprachbund.data.phones import DECODED, PHONE, items_of
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.decoding.phones.aligner import PhoneModelAligner


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def aligned(tmp_path, monkeypatch):
    """A manifest of two clips, aligned by an oracle that hears them."""
    use_oracle(monkeypatch)
    cat, tea = [("K", 3), ("AE", 4), ("T", 3)], [("T", 3), ("IY", 5), ("SIL", 4)]
    cuts = write_spoken(tmp_path / "speech", [("cat", cat), ("tea", tea), ("cat tea", [*cat, ("SIL", 3), *tea])])
    path = tmp_path / "aligned.jsonl.gz"
    write_cuts(align_cuts(cuts, PhoneModelAligner(tmp_path)).cuts, path)
    return path


def test_decoded_phones_are_judged_against_an_alignment(aligned, tmp_path):
    decoded, figures = tmp_path / "decoded.jsonl.gz", tmp_path / "figures.json"
    done = run("recognize-phones", tmp_path, aligned, "--out", decoded, "--aligned", aligned)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [f"10 phones in 3 of 3 stretches, in {decoded}"]
    assert all(cut.supervisions[0].custom[DECODED] for cut in read_cuts(decoded))
    done = run("phone-errors", aligned, decoded, "--against", decoded, "--json", figures)
    assert done.exit_code == 0, done.output
    first, second, third = done.stdout.splitlines()
    assert "phone error rate 0.0 % (0.0 to 0.0) of 10 phones in 3 cuts" in first
    assert (second, third) == (first, "difference: 0.0 points (0.0 to 0.0, p 1.000)")
    plain = json.loads(figures.read_text())
    assert plain["decoded"] == plain["against"]
    assert (plain["decoded"]["phone_error_rate"], plain["decoded"]["phones"]) == (0.0, 10)


def test_what_an_ended_run_has_finished_is_kept(aligned, tmp_path):
    store, out = tmp_path / "store", tmp_path / "decoded.jsonl.gz"
    arguments = ("recognize-phones", tmp_path, aligned, "--out", out, "--aligned", aligned, "--store", store)
    assert run(*arguments).exit_code == 0
    first = out.read_bytes()
    for path in (tmp_path / "speech").iterdir():
        path.unlink()  # nothing is to be heard again
    assert run(*arguments).exit_code == 0
    assert out.read_bytes() == first


def test_what_cannot_be_decoded_is_told(aligned, tmp_path):
    out = tmp_path / "decoded.jsonl.gz"
    (tmp_path / "speech" / "clip-1.wav").write_bytes(b"no sound")
    done = run("recognize-phones", tmp_path, aligned, "--out", out, "--aligned", aligned)
    assert done.exit_code == 0, done.output
    assert "in 2 of 3 stretches" in done.stdout
    assert "clip-1: not readable" in done.stderr
    assert not items_of(read_cuts(out)["clip-1"], PHONE)
    judged = run("phone-errors", aligned, out)
    assert "1 cuts were not decoded" in judged.stdout


@pytest.mark.parametrize("kind", ["frames", "ctc"])
def test_a_wrong_choice_ends_in_a_sentence_and_leaves_nothing(tmp_path, kind, capsys):
    write = write_phone_model if kind == "frames" else write_ctc_model
    manifest, out = tiny.write_corpus(tmp_path / "speech", 2), tmp_path / "decoded.jsonl.gz"
    extra = [] if kind == "frames" else ["--aligned", str(manifest)]
    with pytest.raises(SystemExit) as ended:
        main(["tokens", "recognize-phones", str(write(tmp_path / "model")), str(manifest), "--out", str(out), *extra])
    assert ended.value.code == 2
    assert "--aligned" in capsys.readouterr().err
    assert not out.exists()
