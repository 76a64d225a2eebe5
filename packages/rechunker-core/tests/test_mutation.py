"""The tests of copying fail where nothing is copied."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COPYING = {
    "test_fidelity.py": "dtype or strings or order or big or filters or shard or format or byte",
    "test_groups.py": "named_arrays_are or many_arrays or own_source",
    "test_publishing.py": "repeated or overwriting_waits or array_in_a_group",
    "test_python_executor.py": "any_number or no_arguments",
    "test_rechunk_properties.py": "target_equals_source or exactly_what_was_predicted",
}


@pytest.mark.slow
def test_nothing_copied_is_noticed(tmp_path: Path) -> None:
    chosen = " or ".join(f"{file} and ({tests})" for file, tests in COPYING.items())
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no_copying", "-k", chosen]
    options = [
        f"--rootdir={HERE}",
        "-p",
        "no:cacheprovider",
        *(str(HERE / file) for file in COPYING),
    ]
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": path, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path)},
        check=False,
    )
    failed = set(re.findall(r"^FAILED (?:.*/)?(test_\w+\.py)::", done.stdout, re.MULTILINE))
    assert failed == set(COPYING), done.stdout
    assert not re.search(r"\d+ (passed|error)", done.stdout), done.stdout
