"""2.1.3: a single query's arithmetic in one thread."""

from __future__ import annotations

from threading import Lock
from typing import Any


class _OneThread:
    """Keep BLAS and OpenMP to one thread while anybody is inside, whichever thread enters or leaves first."""

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._pools: Any = None
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._pools is None:
                from threadpoolctl import ThreadpoolController

                self._pools = ThreadpoolController()
            if self._inside == 0:
                self._limit = self._pools.limit(limits=1)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


# A single query's product and scan take fractions of a millisecond. Threads that helped in one of them then wait for
# more work spinning, and keep the cores from the step that follows, for longer than that step takes.
one_thread = _OneThread()
