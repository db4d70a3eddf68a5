import tiny
from sprachbund.data.checking.rules import Rules


def test_limits_hold_for_training_texts_only():
    rules = Rules(max_characters=3, tokenizer=tiny.character_tokenizer())
    training, held_out = rules.of_training_texts(frozenset({"abba"})), rules.of_held_out_texts()
    assert [fault.kind for fault in training.judge("abba")] == ["long-text", "held-out-text"]
    assert list(held_out.judge("abba")) == []
    assert [fault.kind for fault in held_out.judge("xyz")] == ["unknown-characters"]


def test_what_is_asked_is_said():
    asked = "; ".join(Rules(rate=8000, max_seconds=9.5, max_characters=7, units=tiny.unit_model()).describe())
    for told in ("decoded in full", "8000 Hz", "up to 9.5 s", "up to 7 characters", tiny.unit_model().fingerprint[:16]):
        assert told in asked
    plain = "; ".join(Rules(is_quick=True).describe())
    assert "headers only" in plain
    assert "rate: any" in plain
    assert "up to" not in plain
