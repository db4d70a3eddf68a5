"""The k-means files that HuBERT's scripts write (``.km``): a scikit-learn estimator, dumped by joblib.

Such a file is a pickle between whose parts the bytes of arrays stand. It is read as data: nothing in it is executed,
and neither joblib nor scikit-learn is needed.
"""

import bz2
import gzip
import io
import lzma
import math
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sprachbund.errors import VocabularyError
from sprachbund.files import write_atomically
from sprachbund.pickles import Name, PickleRefusedError, Reading, Stub, read_pickle
from sprachbund.shapes import Array, Shaped
from sprachbund.tokens.units import UnitModel

LARGEST = 1 << 30  # bytes once unpacked; 2000 units of 1024 channels take 8 MB
_ESTIMATORS = tuple(
    f"sklearn.cluster.{module}.{kind}" for module in ("_kmeans", "k_means_") for kind in ("KMeans", "MiniBatchKMeans")
)
_WRAPPERS = ("joblib.numpy_pickle.NumpyArrayWrapper", "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper")
_NUMPY = ("numpy.ndarray", "numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
# The state of a generator of random numbers, which is left alone, and the bytes of a number in old protocols.
_OTHERS = ("numpy.random.", "_codecs.encode")
_DTYPE = re.compile(r"[fiu][1248]|b1")
_UNPACKERS: dict[bytes, Callable[[io.BufferedReader], io.BufferedIOBase]] = {
    b"\x1f\x8b": lambda handle: gzip.GzipFile(fileobj=handle),
    b"BZ": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
    b"\x5d\x00": lzma.LZMAFile,
}
_ZLIB = b"\x78"


def read_kmeans_file(path: Path, *, feature: str, frame_shift: float) -> UnitModel:
    """The unit model of a ``.km`` file, compressed or not.

    Args:
        path: the file.
        feature: name of the features it was fitted on, which the file does not tell.
        frame_shift: seconds between two of their frames.

    Raises:
        VocabularyError: the file is missing, damaged, holds something else, or names what would have to be executed.
    """
    mend = "Nothing in it was run. Give a KMeans or MiniBatchKMeans of scikit-learn that joblib.dump has written."
    try:
        stream = io.BytesIO(_unpack(path))
        found = read_pickle(stream, _reading(stream))
        centroids = _centroids(found)
    except PickleRefusedError as error:
        raise VocabularyError("this k-means file cannot be used", where=path, given=error, mend=mend) from None
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or error
        raise VocabularyError("this k-means file cannot be read", where=path, given=reason, mend=mend) from None
    return UnitModel(np.ascontiguousarray(centroids, dtype=np.float32), feature, frame_shift)


def write_kmeans_file(model: UnitModel, path: Path) -> None:
    """Write a ``.km`` file: a MiniBatchKMeans of the scikit-learn at hand, with the centroids of `model`."""
    import joblib
    from sklearn.cluster import MiniBatchKMeans

    # Fitted once, on anything, to have every attribute that its version wants.
    start = np.arange(model.num_units, dtype=np.float32)[:, None] * np.ones(model.num_channels, dtype=np.float32)
    estimator = MiniBatchKMeans(n_clusters=model.num_units, init=start, n_init=1, compute_labels=False)
    estimator.partial_fit(start)
    estimator.init = "k-means++"
    estimator.cluster_centers_ = model.centroids.copy()
    with write_atomically(path) as handle:
        joblib.dump(estimator, handle)


def _unpack(path: Path) -> bytes:
    """All bytes of the file, no more of them than `LARGEST`: a few kilobytes may unpack to any size."""
    with path.open("rb") as handle:
        start = handle.read(5)
        handle.seek(0)
        unpacked: bytes
        if start.startswith(_ZLIB):
            unpacked = zlib.decompressobj().decompress(handle.read(LARGEST + 1), LARGEST + 1)
        else:
            unpack = next((unpack for prefix, unpack in _UNPACKERS.items() if start.startswith(prefix)), None)
            unpacked = (handle if unpack is None else unpack(handle)).read(LARGEST + 1)
    if len(unpacked) > LARGEST:
        raise PickleRefusedError(f"it holds more than {LARGEST >> 20} MiB")
    return unpacked


def _reading(stream: io.BytesIO) -> Reading:
    def finish(stub: Stub) -> Any:
        return _read_array(stub.state, stream) if stub.name in _WRAPPERS else stub

    return Reading(makers={}, inert=(*_ESTIMATORS, *_WRAPPERS, *_NUMPY, *_OTHERS), finish=finish)


def _read_array(state: Any, stream: io.BytesIO) -> Shaped[Array, "..."]:
    """The array that stands in the stream right after what joblib says about it."""
    about = state if isinstance(state, dict) else {}
    shape, alignment = about.get("shape"), about.get("numpy_array_alignment_bytes")
    if about.get("subclass") != Name("numpy.ndarray") or not isinstance(shape, tuple):
        raise PickleRefusedError("it has an array of an unknown kind")
    if not all(type(size) is int and 0 <= size <= LARGEST for size in shape) or len(shape) > 8:
        raise PickleRefusedError("it has an array of an impossible shape")
    dtype = _dtype(about.get("dtype"))
    if alignment is not None:
        stream.read(int.from_bytes(stream.read(1), "little"))
    num_bytes = math.prod(shape) * dtype.itemsize
    content = stream.read(num_bytes) if num_bytes <= LARGEST else b""
    if len(content) != num_bytes:
        raise PickleRefusedError("it is truncated")
    array = np.frombuffer(content, dtype=dtype)
    return array.reshape(shape[::-1]).T if about.get("order") == "F" else array.reshape(shape)


def _dtype(stub: Any) -> np.dtype[Any]:
    code = stub.arguments[0] if isinstance(stub, Stub) and stub.name == "numpy.dtype" and stub.arguments else None
    if not isinstance(code, str) or not _DTYPE.fullmatch(code):
        raise PickleRefusedError("it has an array of something that is not numbers")
    state = stub.state if isinstance(stub.state, tuple) else ()
    return np.dtype(code).newbyteorder(">" if state[1:2] == (">",) else "<")


def _centroids(found: Any) -> Shaped[Array, "unit channel"]:
    if not isinstance(found, Stub) or found.name not in _ESTIMATORS or not isinstance(found.state, dict):
        raise PickleRefusedError("it holds no k-means")
    centroids = found.state.get("cluster_centers_")
    if not isinstance(centroids, np.ndarray) or centroids.ndim != 2 or centroids.dtype.kind != "f":
        raise PickleRefusedError("its k-means has not been fitted")
    return centroids
