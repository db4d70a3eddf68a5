from pathlib import Path

import pytest

from sprachbund.data.storage.fingerprint import file_fingerprint


def test_it_is_the_sha256_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_fingerprint(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("place", [0, (1 << 20) - 1, 1 << 20, (1 << 21) + 4])
def test_every_byte_of_a_long_file_counts(tmp_path: Path, place: int) -> None:
    content = bytearray((1 << 21) + 5)
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(content)
    content[place] = 1
    other.write_bytes(content)
    assert file_fingerprint(path) != file_fingerprint(other)
    other.write_bytes(path.read_bytes())
    assert file_fingerprint(path) == file_fingerprint(other)
