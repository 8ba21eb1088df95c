"""Large blocks go back to the operating system, whatever small ones lie between them."""

import subprocess
import sys

import pytest

from streams.stages.detect.allocator import give_back_large_blocks

PROGRAM = """
import numpy as np
from streams.stages.detect.allocator import give_back_large_blocks

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

give_back_large_blocks()
np.ones(2**20)  # 8 MB, freed at once: it is what makes the C library keep such blocks
before = resident_mb()
columns, small = [], []
for _ in range(20):
    columns.append(np.ones(2**19))
    small.append(bytes(100_000))
del columns
print(resident_mb() - before)
"""


def test_freed_columns_do_not_stay_resident():
    if not sys.platform.startswith("linux") or not give_back_large_blocks():
        pytest.skip("only glibc can be told")
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert float(ended.stdout) < 20, "80 MB were freed"
