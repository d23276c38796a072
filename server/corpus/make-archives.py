#!/usr/bin/env python3
"""Makes the archives of this folder with the writers people use: Python's zipfile, and Info-ZIP 3.0 (`zip`).

Run beside `archives/`. The times in them are fixed; what Info-ZIP writes is otherwise as it is.
"""

import io
import os
import stat
import struct
import subprocess
import tempfile
import warnings
import zipfile
from pathlib import Path

OUT = Path(__file__).parent / "archives"
WHEN = (2026, 11, 22, 12, 0, 0)
# The same files in all that are good.
FILES = {
    "run.py": b"print('hello')\n",
    "src/lib.py": b"def double(x):\n    return 2 * x\n" * 40,
    "源码/数据.txt": "文字\n".encode(),
    "empty.txt": b"",
    "picture.bin": bytes(range(256)) * 3,
}


class Pipe(io.RawIOBase):
    """Takes bytes and cannot go back, as a pipe: sizes then follow the content."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece) -> int:
        self.bytes += piece
        return len(piece)


def info(name: str, mode: int = stat.S_IFREG | 0o644, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, WHEN)
    made.create_system = 3
    made.external_attr = mode << 16
    made.compress_type = method
    return made


def python(name: str, entries, target=None, zip64: bool = False) -> None:
    """Writes entries, each a ZipInfo and its content."""
    target = io.BytesIO() if target is None else target
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w") as archive:
        warnings.simplefilter("ignore")
        for about, content in entries:
            with archive.open(about, "w", force_zip64=zip64) as out:
                out.write(content)
    data = target.bytes if isinstance(target, Pipe) else target.getvalue()
    (OUT / name).write_bytes(data)


def info_zip(name: str, *options: str, piped: bool = False) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for path, content in FILES.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        for root, folders, files in os.walk(folder):
            for entry in folders + files:
                os.utime(os.path.join(root, entry), (1_795_000_000, 1_795_000_000))
        command = ["zip", "-q", "-r", *options, "-" if piped else "made.zip", "."]
        done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
        data = done.stdout if piped else Path(folder, "made.zip").read_bytes()
    (OUT / name).write_bytes(data)


def far() -> None:
    """A directory that says, in 64 bits, that the content stands where no file reaches."""
    name = b"run.py"
    extra = struct.pack("<HHQ", 1, 8, 0xF000_0000_0000_0000)
    numbers = (45, 45, 0, 0, 0, 0x5C76, 0, 5, 5, len(name), len(extra), 0, 0, 0, 0, 0xFFFF_FFFF)
    entry = b"PK\x01\x02" + struct.pack("<HHHHHHIIIHHHHHII", *numbers) + name + extra
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), 0, 0)
    (OUT / "bad-far.zip").write_bytes(entry + end)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    good = list(FILES.items())
    python("good-python.zip", [(info(name), content) for name, content in good])
    stored = [(info(name, method=zipfile.ZIP_STORED), content) for name, content in good]
    python("good-python-stored.zip", stored)
    python("good-python-streamed.zip", [(info(name), content) for name, content in good], target=Pipe())
    python("good-python-zip64.zip", [(info(name), content) for name, content in good], zip64=True)
    info_zip("good-info-zip.zip")
    info_zip("good-info-zip-piped.zip", piped=True)
    first = (info("run.py"), FILES["run.py"])
    python("bad-parent.zip", [first, (info("../evil.py"), b"evil")])
    python("bad-absolute.zip", [first, (info("/etc/evil"), b"evil")])
    python("bad-link.zip", [first, (info("link", stat.S_IFLNK | 0o777), b"/etc/passwd")])
    python("bad-device.zip", [first, (info("null", stat.S_IFCHR | 0o666), b"")])
    python("bad-doubled.zip", [first, (info("run.py"), b"other")])
    python("bad-case.zip", [first, (info("RUN.PY"), b"other")])
    python("bad-file-and-folder.zip", [first, (info("run.py/inside.py"), b"other")])
    python("bad-bomb.zip", [(info("zeros"), bytes(20 << 20))])
    info_zip("bad-encrypted.zip", "-P", "secret")
    far()


if __name__ == "__main__":
    main()
