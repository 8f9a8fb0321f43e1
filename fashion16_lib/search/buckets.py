"""1.3: "samples with the same code share a bucket": the other readings of that sentence.

The whole code as bucket would make every distance in it 0, so three readings remain:
(a) the class library is scanned from end to end: no buckets (the default of `Fashion16`);
(b) the first bits choose the bucket, all bits are compared inside it: one table;
(c) several tables, or neighbouring buckets as well (multi-probe): more candidates, more of the true neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fashion16_lib.search.hamming import check_codes


@dataclass(frozen=True)
class Buckets:
    """Choose how codes are put into buckets.

    Attributes
    ----------
    n_tables : tables, each keyed by the next `bits_per_table` bits of the code; 1 is reading (b)
    bits_per_table : bits that choose the bucket, 1 to 24
    probe_radius : also look into buckets whose key differs in up to this many bits
    """

    n_tables: int = 1
    bits_per_table: int = 8
    probe_radius: int = 0

    def __post_init__(self) -> None:
        if self.n_tables < 1 or not 1 <= self.bits_per_table <= 24 or not 0 <= self.probe_radius <= self.bits_per_table:
            raise ValueError(
                f"buckets need n_tables >= 1, bits_per_table 1 to 24 and probe_radius 0 to bits_per_table; got {self}"
            )

    def keys(self, codes: np.ndarray) -> np.ndarray:
        """Return the bucket key of each code in each table, (n, n_tables) int64."""
        needed = self.n_tables * self.bits_per_table
        bits = np.unpackbits(check_codes(codes), axis=1)
        if needed > bits.shape[1]:
            raise ValueError(
                f"{self.n_tables} tables of {self.bits_per_table} bits need codes of {needed} bits, "
                f"got {bits.shape[1]}; build the library with more bits"
            )
        parts = bits[:, :needed].reshape(len(bits), self.n_tables, self.bits_per_table).astype(np.int64)
        return parts @ (1 << np.arange(self.bits_per_table)[::-1])

    def probes(self, key: int) -> Iterator[int]:
        """Yield the key and those within `probe_radius` bits of it."""
        for radius in range(self.probe_radius + 1):
            for flipped in combinations(range(self.bits_per_table), radius):
                yield key ^ sum(1 << bit for bit in flipped)


class BucketTables:
    """Hold the places of codes by bucket, for readings (b) and (c)."""

    def __init__(self, codes: np.ndarray, buckets: Buckets) -> None:
        self.buckets = buckets
        self.tables: list[dict[int, np.ndarray]] = []
        for keys in buckets.keys(codes).T:
            order = np.argsort(keys, kind="stable")
            found, starts = np.unique(keys[order], return_index=True)
            self.tables.append(dict(zip(found.tolist(), np.split(order, starts)[1:], strict=True)))

    def candidates(self, code: np.ndarray) -> np.ndarray:
        """Return the places, ascending, of all codes in the buckets that a query code (bytes,) looks into."""
        keys = self.buckets.keys(code[None])[0]
        places = [
            table[probe]
            for table, key in zip(self.tables, keys.tolist(), strict=True)
            for probe in self.buckets.probes(key)
            if probe in table
        ]
        return np.unique(np.concatenate(places)) if places else np.empty(0, np.int64)
