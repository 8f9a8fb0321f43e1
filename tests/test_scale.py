"""The reckoning of large galleries: in step with items, divided among workers where the work divides."""

import pytest

from fashion16_lib.evaluate.scale import Rates, cost_table, costs

RATES = Rates(worker_ms=36.0, alone_ms=3.6, library_bytes=2**10, feature_bytes=2**15, scan_ns=1.0)


def test_costs_by_hand():
    found = costs(RATES, 100_000_000, 100)
    assert found["worker_hours"] == pytest.approx(10) and found["alone_hours"] == pytest.approx(100)
    assert found["library_gib"] == pytest.approx(1e8 / 2**20) and found["features_gib"] == pytest.approx(1e6 / 2**15)
    assert found["scan_ms"] == pytest.approx(1.0)


def test_workers_share_what_divides_and_nothing_else():
    one, ten = costs(RATES, 5_000, 1), costs(RATES, 5_000, 10)
    for what in ("worker_hours", "features_gib", "scan_ms"):
        assert one[what] == pytest.approx(10 * ten[what])
    assert one["alone_hours"] == ten["alone_hours"] and one["library_gib"] == ten["library_gib"]


def test_the_table_has_a_row_for_each_size_and_number_of_workers():
    table = cost_table(RATES, (10, 20), (1, 2, 4))
    assert table[["items", "workers"]].to_numpy().tolist() == [[10, 1], [10, 2], [10, 4], [20, 1], [20, 2], [20, 4]]
