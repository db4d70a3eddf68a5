import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sprachbund.data.corpora import packages
from sprachbund.data.corpora.package_cache import Package, cache_folder, cached_package, fetch_packages
from sprachbund.data.corpora.packages import PACKAGES, main

HAD = Package("some-sounds-en", (("usr/share/sounds.txt", 5),))
LACKING = Package("no-sounds-en", (("usr/share/sounds.txt", 5),))


def test_the_entry_without_command_line_fetches_all_it_can(
    cache: Path,
    tmp_path: Path,
    write_deb: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fetch_packages([HAD], write_deb(tmp_path / "some-sounds-en_1_all.deb", {"./usr/share/sounds.txt": b"alpha"}))
    monkeypatch.setattr(packages, "PACKAGES", {package.name: package for package in (LACKING, HAD)})
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["some-sounds-en"]) == 0
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out.count(str(cache / HAD.name)) == 2
    assert err.count("\n") == 1
    assert LACKING.name in err
    assert main(["nonsense"]) == 2
    assert HAD.name in capsys.readouterr().err


def test_every_package_names_files_to_check_and_unpacks_them() -> None:
    for name, package in PACKAGES.items():
        assert package.files
        assert package.name == name
        assert re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name)
        assert all(size > 0 and package.wants(path) for path, size in package.files)
        assert package.wants(f"usr/share/doc/{name}/copyright")
        assert all(folder.startswith("usr/share/") and count > 0 for folder, _, count in package.counts)


def test_pictures_and_other_languages_stay_packed() -> None:
    wesnoth, stamps = PACKAGES["wesnoth-1.16-data"], PACKAGES["tuxpaint-stamps-default"]
    locale = "usr/share/games/wesnoth/1.16/locale"
    assert wesnoth.wants(f"{locale}/de/LC_MESSAGES/wesnoth.mo")
    assert not wesnoth.wants(f"{locale}/pl/LC_MESSAGES/wesnoth.mo")
    assert not wesnoth.wants("usr/share/games/wesnoth/1.16/data/core/music/x.ogg")
    assert stamps.wants("usr/share/tuxpaint/stamps/a/b_desc.ogg")
    assert not stamps.wants("usr/share/tuxpaint/stamps/a/b.svg")


@pytest.mark.parametrize("name", list(PACKAGES))
def test_real_packages_in_the_cache_are_whole(name: str) -> None:
    if not (cache_folder() / name).is_dir():
        pytest.skip("the package is not in the cache; run `make corpora` first")
    assert cached_package(PACKAGES[name]) == cache_folder() / name
