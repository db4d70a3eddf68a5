import pytest

from sprachbund.cli.main import main


def test_an_unknown_plan_is_named(capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--plan", "reprodce", "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert "Did you mean 'reproduce'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
