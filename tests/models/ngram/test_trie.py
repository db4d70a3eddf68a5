import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.models.ngram.trie import Trie, distinct, suffix_nodes, trie_keys

NUM_LABELS = 4
STRINGS = st.sets(st.lists(st.integers(0, NUM_LABELS - 1), min_size=1, max_size=5).map(tuple), max_size=40)


def levels_of(strings: set[tuple[int, ...]]) -> list[np.ndarray]:
    longest = max(map(len, strings), default=1)
    return [
        np.array(sorted(each for each in strings if len(each) == size), dtype=np.int64).reshape(-1, size)
        for size in range(1, longest + 1)
    ]


def closed(strings: set[tuple[int, ...]]) -> set[tuple[int, ...]]:
    """With every beginning of every string, and every single label."""
    return {each[:size] for each in strings for size in range(1, len(each) + 1)} | {(i,) for i in range(NUM_LABELS)}


def numbered(strings: set[tuple[int, ...]]) -> dict[tuple[int, ...], int]:
    """Which node each string is, by the rule that `Trie` states."""
    return {string: place for place, string in enumerate(sorted(strings | {()}, key=lambda s: (len(s), s)))}


@settings(deadline=None, max_examples=40)
@given(STRINGS)
def test_children_are_found_where_there_are_some(strings: set[tuple[int, ...]]) -> None:
    nodes = numbered(closed(strings))
    keys, orphans = trie_keys(levels_of(closed(strings)), NUM_LABELS)
    assert not any(map(len, orphans))
    trie = Trie(torch.from_numpy(np.concatenate(keys)), NUM_LABELS)
    assert trie.num_nodes == len(nodes)
    for label in range(NUM_LABELS):
        wanted = [nodes.get((*string, label), -1) for string in nodes]
        rows = torch.tensor(list(nodes.values()))
        assert trie.find(rows, torch.full_like(rows, label)).tolist() == wanted


@settings(deadline=None, max_examples=40)
@given(STRINGS, st.randoms(use_true_random=False))
def test_all_children_are_listed_row_by_row(strings: set[tuple[int, ...]], random) -> None:
    nodes = numbered(closed(strings))
    trie = Trie(torch.from_numpy(np.concatenate(trie_keys(levels_of(closed(strings)), NUM_LABELS)[0])), NUM_LABELS)
    asked = random.choices(list(nodes), k=7)
    rows, labels, children = trie.children(torch.tensor([nodes[string] for string in asked]))
    wanted = [
        (row, label, nodes[*string, label])
        for row, string in enumerate(asked)
        for label in range(NUM_LABELS)
        if (*string, label) in nodes
    ]
    assert list(zip(rows.tolist(), labels.tolist(), children.tolist(), strict=True)) == wanted


@settings(deadline=None, max_examples=40)
@given(STRINGS)
def test_ends_of_strings(strings: set[tuple[int, ...]]) -> None:
    nodes = numbered(closed(strings))
    suffixes = suffix_nodes(trie_keys(levels_of(closed(strings)), NUM_LABELS)[0], NUM_LABELS)
    for string, node in nodes.items():
        ends = (string[start:] for start in range(1, len(string) + 1))
        assert suffixes[node] == next((nodes[end] for end in ends if end in nodes), 0)


@settings(deadline=None, max_examples=40)
@given(STRINGS)
def test_strings_without_their_beginning_are_named(strings: set[tuple[int, ...]]) -> None:
    strings |= {(label,) for label in range(NUM_LABELS)}
    levels = levels_of(strings)
    _, orphans = trie_keys(levels, NUM_LABELS)
    for rows, places in zip(levels, orphans, strict=True):
        lacking = [place for place, row in enumerate(rows.tolist()) if len(row) > 1 and tuple(row[:-1]) not in strings]
        assert places.tolist() == lacking
        if lacking:
            break


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.lists(st.integers(0, 3_000_000), min_size=4, max_size=4), max_size=30),
    st.randoms(use_true_random=False),
)
def test_rows_are_sorted_and_told_apart(rows: list[list[int]], random) -> None:
    given_rows = rows + random.choices(rows, k=5) if rows else rows
    table = np.array(given_rows, dtype=np.int64).reshape(-1, 4)
    order, starts = distinct(table)
    assert table[order].tolist() == sorted(given_rows)
    assert list(map(tuple, table[order][starts].tolist())) == sorted(set(map(tuple, given_rows)))


def test_an_empty_trie_has_its_root() -> None:
    trie = Trie(torch.zeros(0, dtype=torch.int64), 3)
    assert trie.num_nodes == 1
    assert trie.find(torch.tensor([0, 0]), torch.tensor([0, 2])).tolist() == [-1, -1]
    assert [part.tolist() for part in trie.children(torch.tensor([0, 0]))] == [[], [], []]
