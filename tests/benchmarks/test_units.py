from benchmarks.units import units_row


def test_both_give_the_same_units_and_a_time() -> None:
    row = units_row(8, 10, 2_000, rounds=2)
    assert row["same units"] == 1.0
    assert min(row["ours"], row["scikit-learn"], row["ratio"]) > 0
