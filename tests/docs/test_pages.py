"""Every page of the documentation does what it says: see `pages` for how its commands are written."""

import shutil
from pathlib import Path

import pytest

from docs.pages import PageError, corpora_of, first_missing, read_blocks, run_blocks

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}


def place_for(page: str, folder: Path, *, is_slow: bool) -> Path:
    """A folder in which the corpora of the repository can be read, and new ones be made."""
    blocks = [block for block in read_blocks(PAGES[page].read_text("utf-8")) if is_slow or not block.is_slow]
    wanted = sorted(corpora_of(blocks))
    missing = [name for name in wanted if not (ROOT / "corpora" / name).is_dir()]
    if missing:
        pytest.skip(f"the page reads {', '.join(missing)}: get it with `sprachbund corpus get`")
    for path in (path for name in wanted for path in (ROOT / "corpora" / name).iterdir()):
        there = folder / path.relative_to(ROOT)
        there.parent.mkdir(parents=True, exist_ok=True)
        # Copies and single links: what a command writes anew does not reach the repository.
        if path.is_dir():
            shutil.copytree(path, there, copy_function=lambda old, new: Path(new).symlink_to(old))
        else:
            shutil.copy(path, there)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_written_as_agreed(page: str):
    for block in read_blocks(PAGES[page].read_text("utf-8")):
        if block.kind == "console":
            assert block.commands()
        else:
            compile("\n".join(block.lines), page, "exec")


@pytest.mark.parametrize("page", PAGES)
def test_the_quick_commands_do_what_the_page_says(page: str, tmp_path: Path):
    blocks = [block for block in read_blocks(PAGES[page].read_text("utf-8")) if not block.is_slow]
    if blocks:
        run_blocks(blocks, place_for(page, tmp_path, is_slow=False))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_all_commands_do_what_the_page_says(page: str, tmp_path: Path):
    blocks = read_blocks(PAGES[page].read_text("utf-8"))
    if any(block.is_slow for block in blocks):
        run_blocks(blocks, place_for(page, tmp_path, is_slow=True))


# The runner itself: it must see what is wrong.
BAD_PAGES = {
    "nothing to run": ("# A page\n\nWords.\n", "no command that is run"),
    "an indented command": ("Do this:\n\n    sprachbund info x\n", "line 3: a command that is not run"),
    "a block of another kind": ("```sh\nsprachbund info x\n```\n<!-- run: no (something else) -->\n", "not run"),
    "an unknown marker": ("<!-- run: later -->\n```console\n$ true\n```\n", "unknown marker 'later'"),
    "no reason": ("<!-- run: no -->\n```console\n$ true\n```\n", "unknown marker 'no'"),
    "output before a command": ("```console\nhello\n```\n", "begins with"),
    "a command that fails": ("```console\n$ echo told >&2; false\n```\n", "ended with 1:\ntold"),
    "a pipe that fails": ("```console\n$ false | cat\n```\n", "ended with 1"),
    "another code": ("<!-- run: exit 2 -->\n```console\n$ exit 3\n```\n", "ended with 3, not with 2"),
    "another number": ("```console\n$ echo 3 of 4 cuts\n3 of 5 cuts\n```\n", "should print\n3 of 5 cuts"),
    "another order": ("```console\n$ echo a; echo b\nb\na\n```\n", "should print\na"),
    "a program that fails": ("```python\nraise SystemExit(1)\n```\n", "ended with 1"),
}


@pytest.mark.parametrize("page", BAD_PAGES)
def test_bad_pages_are_told(page: str, tmp_path: Path):
    text, told = BAD_PAGES[page]
    with pytest.raises(PageError) as error:
        run_blocks(read_blocks(text), tmp_path)
    assert told in str(error.value)


GOOD_PAGE = """
```console
$ mkdir made && \\
> echo "12  clips in 3.5 s"
12 clips in … s
$ cat none || echo 'not there' >&2
not there
```
<!-- run: exit 2 -->
```console
$ sprachbund info made/none.wav
sprachbund: …none.wav…
```
<!-- run: no (this one asks for the network) -->
    sprachbund corpus get steel-sky

<!-- run: slow -->
```console
$ touch made/slow
```
```python
from pathlib import Path

assert Path("made").is_dir()
print("a line " * 100)
```
```text
make what you like: this is no command
```
"""


def test_a_good_page_is_run_in_its_order(tmp_path: Path):
    blocks = read_blocks(GOOD_PAGE)
    assert [block.kind for block in blocks] == ["console", "console", "console", "python"]
    run_blocks([block for block in blocks if not block.is_slow], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    assert not (tmp_path / "made" / "slow").exists()


def test_the_corpora_of_a_page_are_those_it_reads_and_gets():
    text = (
        "```console\n$ sprachbund corpus get steel-sky\n$ ls corpora/asterisk/all.jsonl.gz corpora/new corpora\n```\n"
    )
    assert corpora_of(read_blocks(text)) == {"steel-sky", "asterisk"}


def test_what_is_printed_is_compared_loosely():
    assert first_missing(("a …", "… d"), "x\na b\ny\nc d\n") is None
    assert first_missing(("a  b",), "a b") is None
    assert first_missing(("took … s",), "took 3.4 s") is None
    assert first_missing(("1 of 2",), "11 of 2") == "1 of 2"
    assert first_missing(("a", "a"), "a") == "a"
    assert first_missing((), "anything") is None
