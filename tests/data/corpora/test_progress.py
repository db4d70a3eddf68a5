import pytest

from sprachbund.data.corpora.progress import show_progress


@pytest.mark.parametrize("visible", [True, False])
def test_items_pass_and_only_a_visible_bar_is_drawn(visible: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(show_progress(iter("abc"), "letters", 3, visible)) == ["a", "b", "c"]
    assert ("letters" in capsys.readouterr().err) == visible
