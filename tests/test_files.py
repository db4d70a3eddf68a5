import pytest

from sprachbund.files import is_file, is_folder, write_atomically


def test_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with write_atomically(path, "w") as handle:
        handle.write("ä one")
    assert path.read_text("utf-8") == "ä one"
    with pytest.raises(RuntimeError), write_atomically(path, "w") as handle:
        handle.write("two")
        raise RuntimeError
    assert path.read_text("utf-8") == "ä one"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]


def test_what_stands_at_a_path(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for name, file, folder in (
        ("file", True, False),
        (".", False, True),
        ("none", False, False),
        ("a" * 5000, False, False),
    ):
        assert (is_file(tmp_path / name), is_folder(tmp_path / name)) == (file, folder)


def test_permissions_are_those_of_other_new_files(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    with write_atomically(tmp_path / "atomic") as handle:
        handle.write(b"x")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode
