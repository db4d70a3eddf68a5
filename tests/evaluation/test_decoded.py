from sprachbund.evaluation.decoded import DecodedManifest


def test_hypotheses_stand_beside_their_references():
    decoded = DecodedManifest(("a", "b"), ("x", "y"), ("x", "z"), None, 2.0, 0.5)
    assert list(zip(decoded.ids, decoded.references, decoded.hypotheses, strict=True)) == [
        ("a", "x", "x"),
        ("b", "y", "z"),
    ]
    assert decoded.blank_rate is None
    assert decoded.audio_seconds / decoded.decoding_seconds == 4.0
