"""A full disk, no permission, no memory: one line, whichever library noticed."""

import errno
import sqlite3

import pytest
import torch
from safetensors import SafetensorError

from alignrec_geo.errors import InputError
from alignrec_geo.failures import machine_failure


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENAMETOOLONG, errno.EMFILE])
def test_errors_of_the_system_name_the_file_and_say_what_to_do(number):
    said = machine_failure(OSError(number, "words of the system", "/data/run/.config.yaml.a1b2c3d4.part"))
    assert said.startswith("/data/run/config.yaml: words of the system; ")


def test_both_names_of_a_rename_are_said():
    said = machine_failure(OSError(errno.EXDEV, "Invalid cross-device link", "/a/x", None, "/b/x"))
    assert said.startswith("/a/x and /b/x: Invalid")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SafetensorError("I/O error: No space left on device (os error 28)"), "No space left"),
        (sqlite3.OperationalError("database or disk is full"), "No space left"),
        (RuntimeError("can't start new thread"), "ulimit -u"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
        (MemoryError(), "not enough memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 12000000000 bytes."),
            "12.0 GB",
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."), "20.00 GiB"),
    ],
)
def test_what_libraries_say_is_recognised(error, words):
    assert words in machine_failure(error)
    assert "\n" not in machine_failure(error)


@pytest.mark.parametrize(
    "error", [KeyError("out of memory"), ValueError("shapes differ"), InputError("no space left on device")]
)
def test_faults_of_a_program_are_not(error):
    assert machine_failure(error) is None


def test_memory_that_torch_and_numpy_ask_for():
    import numpy as np

    for ask in (lambda: torch.empty(1 << 50), lambda: np.empty(1 << 50)):
        with pytest.raises((RuntimeError, MemoryError)) as caught:
            ask()
        assert machine_failure(caught.value).startswith("not enough memory (needed ")


def test_a_folder_or_a_home_that_is_gone():
    said = machine_failure(FileNotFoundError(errno.ENOENT, "No such file or directory"))
    assert said.startswith("the current folder is no longer there; change to another")
    said = machine_failure(RuntimeError("Could not determine home directory."))
    assert said == "this user has no home folder; set HOME, or XDG_CACHE_HOME for the cache"
