"""Files are written whole or not at all, and missing packages are named."""

import os
import threading

import pytest

from metaqnn.errors import MetaqnnError
from metaqnn.registry import need
from metaqnn.storage import write_file, write_output


@pytest.mark.parametrize(("content", "there"), [("é\n", b"\xc3\xa9\n"), (b"\r\n\0", b"\r\n\0")])
def test_what_is_written_is_there_and_nothing_else(tmp_path, content, there):
    path = tmp_path / "file.csv"
    path.write_text("what was there before, and longer")
    write_file(path, content)
    assert path.read_bytes() == there
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file.csv"
    write_file(path, "before")

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_file(path, "after")
    with pytest.raises(
        MetaqnnError, match="file.csv cannot be written: No space left on device; free"
    ):
        write_output(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read = []
    reader = threading.Thread(target=lambda: read.append(path.read_text()))
    reader.start()
    write_file(path, "through")
    reader.join()
    assert read == ["through"]
    assert path.is_fifo()


@pytest.mark.parametrize("place", ["nowhere/file.csv", "."])
def test_a_place_that_cannot_be_written_is_named(tmp_path, place):
    with pytest.raises(MetaqnnError, match="cannot be written: "):
        write_output(tmp_path / place, "text")


def test_missing_packages_are_named_with_the_command_that_installs_them():
    need("this", "extra", "pytest", "numpy")
    with pytest.raises(MetaqnnError, match=r"this needs nopackage and no2: .* 'metaqnn\[extra\]'$"):
        need("this", "extra", "nopackage", "numpy", "no2")
