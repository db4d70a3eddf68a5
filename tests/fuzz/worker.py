"""One process that tries many inputs: ``python -m fuzz.worker KIND,... FOLDER FIRST COUNT`` in the folder tests.

It prints a line of JSON for each input that was not answered as promised. An input that hangs ends the process, as one
that crashes it does; the file ``FOLDER/number`` then holds its kind and number.
"""

import contextlib
import faulthandler
import io
import json
import os
import random
import resource
import shutil
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

SECONDS = 30  # of one input, on a machine with other work
MEMORY = 1 << 30  # of one input, above what the process takes without it
FORBIDDEN = (
    "os.system",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "pty.spawn",
    "socket.connect",
    "socket.getaddrinfo",
    "urllib.Request",
    "ctypes.dlopen",
)
EXECUTED: list[str] = []


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    # The process itself may be looked into (glibc's settings of memory); a library that an input names may not.
    if event in FORBIDDEN and arguments != (None,):
        EXECUTED.append(f"{event}{arguments}"[:200])


def main(names: str, folder: Path, first: int, count: int) -> None:
    from fuzz.kinds import KINDS

    warnings.simplefilter("ignore")
    for name in names.split(","):
        originals = folder / "originals" / name
        if not originals.exists():
            originals.mkdir(parents=True)
            KINDS[name].prepare(originals)
        # Once without bounds: what is imported late must not count as the memory or the deeds of an input.
        for number in range(3):
            attempt(KINDS[name], originals, folder, -1 - number)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.addaudithook(watch)
    for name in names.split(","):
        try_all(name, KINDS[name], folder, range(first, first + count))


def try_all(name: str, kind: Any, folder: Path, numbers: range) -> None:
    answers = {"result": 0, "error": 0}
    for number in numbers:
        (folder / "number").write_text(f"{name} {number}")
        answer = attempt(kind, folder / "originals" / name, folder, number)
        if answer in answers:
            answers[answer] += 1
        else:
            tell({"kind": name, "number": number, "problem": answer})
    tell({"kind": name, "answers": answers})


def tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def attempt(kind: Any, originals: Path, folder: Path, number: int) -> str:
    """``result``, ``error`` or the problem with input `number`."""
    from fuzz.kind import check_sentence
    from sprachbund.errors import SprachbundError

    place = folder / "input"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    before = Path.cwd()
    thing = kind.make(originals, place, random.Random(f"{number}"), number)
    os.chdir(place)
    EXECUTED.clear()
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            kind.use(thing)
        answer = "result"
    except SprachbundError as error:
        check_sentence(error)
        answer = "error"
    except BaseException:
        answer = traceback.format_exc(limit=-12)
    finally:
        faulthandler.cancel_dump_traceback_later()
        os.chdir(before)
    left = [name for name in ("executed",) if (place / name).exists()]
    return f"executed: {EXECUTED} {left}" if EXECUTED or left else answer


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
