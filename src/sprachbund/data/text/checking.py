"""Whether a line store is as it was written."""

from pathlib import Path

import numpy as np

from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.text.fields import IdsField
from sprachbund.data.text.store import ENDS, ITEMS, LineStore
from sprachbund.errors import DataError

_PIECE = 1 << 22  # lines looked at at once


def check_store(folder: Path) -> str:
    """Read all of a store; what is in it, in a few words.

    Raises:
        DataError: a file is not the one that was written.
        VocabularyError: a vocabulary is damaged.
    """
    store = LineStore(folder)
    written = {f"{name}.{kind}" for name in store.fields for kind in (ITEMS, ENDS)} | set(store.digests)
    for name in sorted(written):
        path = folder / Path(name).name
        if not path.is_file() or file_fingerprint(path) != store.digests.get(name):
            mend = "Make the store again, or copy all of its files together."
            raise DataError("a file is not the one that the line store was written with", where=path, mend=mend)
    for name in store.fields:
        for start in range(0, len(store), _PIECE):
            store.lengths(name, np.arange(start, min(start + _PIECE, len(store))))
    return f"{len(store)} lines; {'; '.join(describe_fields(store).values())}"


def describe_fields(store: LineStore) -> dict[str, str]:
    """What each field holds, in a few words."""
    return {name: _describe(store, name) for name in store.fields}


def _describe(store: LineStore, name: str) -> str:
    field = store.fields[name]
    if not isinstance(field, IdsField):
        return f"{store.num_items(name)} bytes of text"
    kind = "symbols" if field.vocabulary is not None else "units"
    told = f"{store.num_items(name)} ids of {field.size} {kind}, fingerprint {field.fingerprint[:16]}"
    return f"{told}, reduced" if field.is_reduced else told
