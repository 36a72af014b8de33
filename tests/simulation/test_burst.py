"""Imports on both sides within one minute. Thousands of records: `python benchmarks/reliability.py --burst 3000`."""

from pathlib import Path

import pytest
from sim_burst import burst


@pytest.mark.parametrize("system", ["overplane", "erpnext", "hubspot"])
def test_an_import_while_the_sync_reads_page_after_page_is_neither_doubled_nor_lost(
    system: str, tmp_path: Path
) -> None:
    assert burst(tmp_path, 100, system=system) == []
