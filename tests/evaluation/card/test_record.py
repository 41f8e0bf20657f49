from __future__ import annotations

import json
from pathlib import Path

import pytest

from covidct.errors import BundleError
from covidct.evaluation.card.record import parse_record
from covidct.inference.config import CONFIG
from figures.cards import bundle as bundle  # the fixture: a bundle that records its figures


def test_the_record_of_a_bundle_is_typed(bundle: Path) -> None:
    record = parse_record((bundle / CONFIG).read_bytes())
    assert record.making.sources == sorted(record.making.sources) != []
    assert record.figures["float"].overall.evaluation.n > 0
    assert (record.pool, record.site, record.external) == (None, None, None)


@pytest.mark.parametrize("key", ["recipe", "splits", "audit", "parity", "manifest_sha256"])
def test_a_record_that_lacks_a_part_says_which(bundle: Path, key: str) -> None:
    table = json.loads((bundle / CONFIG).read_bytes())
    del table["training"][key]
    with pytest.raises(BundleError, match=f"training cannot be read: KeyError.'{key}'.; train it again"):
        parse_record(json.dumps(table).encode())
