from sprachbund.data.text.lines import Line, each_line


class Numbers:
    """Three lines."""

    name, num_bytes = "numbers", 3

    def __len__(self) -> int:
        return 3

    def line(self, number: int) -> Line:
        return Line(number, str(number))

    def fingerprint(self) -> str:
        return "numbers"


def test_lines_come_in_their_order() -> None:
    lines = each_line(Numbers())
    assert next(lines) == Line(0, "0", {})
    assert [line.text for line in lines] == ["1", "2"]
