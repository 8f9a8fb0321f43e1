"""`make bench`: every ratio the project claims, taken side by side on this machine; into results/bench.

Takes about 20 minutes on 2 cores. One part alone: python benchmarks/bench.py search_speed
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from importlib import import_module
from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd
from measure import machine

from fashion16_lib.files import replace_file
from fashion16_lib.report.dots import dots
from fashion16_lib.report.small import figure_pdf, figure_png
from fashion16_lib.report.style import use_style
from fashion16_lib.settings import installed_versions

PARTS = ("search_speed", "other_ways", "query_speed", "page_speed", "build_memory", "hash_quality")
OUT = Path(__file__).resolve().parents[1] / "results" / "bench"
PACKAGES = ("numpy", "faiss-cpu", "h5py", "onnxruntime", "tensorflow-cpu", "keras", "opencv-python-headless",
            "scikit-learn", "openvino")


def main(names: list[str]) -> int:
    """Run the named parts (all by default); return 1 where a bar isn't kept."""
    kept = []
    for name in names or PARTS:
        start, about = time.monotonic(), {"machine": machine(), "versions": installed_versions(PACKAGES)}
        found = import_module(name).run()
        ratios = [each.as_record() for each in found.pop("ratios", [])]
        about |= {"seconds": round(time.monotonic() - start), "ratios": ratios, **found}
        replace_file(OUT / f"{name}.json", json.dumps(about, indent=1, ensure_ascii=False).encode() + b"\n")
        kept += [*(each["holds"] for each in ratios), *(each["holds"] for each in found.get("differences", []))]
        print(_told(about), flush=True)
    _draw()
    return int(False in kept)


def _told(about: dict[str, Any]) -> str:
    """Return a part's numbers as text tables."""
    names = ("ratios", "runtimes", "peaks", "scale", "readings", "ways", "quality", "differences")
    tables = [pd.DataFrame(about[name]) for name in names if about.get(name)]
    return "\n\n".join(table.to_markdown(index=False, floatfmt=".4g") for table in tables)


def _draw() -> None:
    """Draw the ratios beside their limits, the runtimes, the readings of "bucket" and the hashes, of all parts."""
    use_style()
    parts = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in OUT.glob("*.json")}

    def table(part: str, name: str) -> pd.DataFrame:
        return pd.DataFrame(parts.get(part, {}).get(name, []))

    ratios = pd.DataFrame([each for part in parts.values() for each in part["ratios"] if each["bar"]])
    if len(ratios):
        rows = pd.DataFrame([_used(each) for each in ratios.to_dict("records")])
        _save(rows, "ratios", "What each ratio uses of its limit", "share of the limit; median and quartiles of rounds",
              marks={"limit": 1.0}, from_zero=True)
    runtimes = table("query_speed", "runtimes")
    if len(runtimes):
        kinds = runtimes["images"].astype(str) + " at " + runtimes["pixels"].astype(str) + " px"
        rows = runtimes.assign(name=runtimes["runtime"], kind=kinds, value=runtimes["over_default"])
        _save(rows[["name", "kind", "value", "low", "high"]], "runtimes", "What runs VGG-16's pass soonest",
              "time over the default's; median and quartiles")
    readings = table("search_speed", "readings")
    if len(readings):
        rows = readings.assign(name=readings["reading"], value=readings["recall_at_20"],
                               kind=readings["items"].map("{:,} codes".format))
        _save(rows[["name", "kind", "value", "looked_at", "query_time_ms"]], "readings",
              "The fewer codes are looked at, the more of the 20 nearest are missed", "recall@20 of the full scan")
    quality = table("hash_quality", "quality")
    if "precision_at_20" in quality:
        rows = quality.dropna(subset="precision_at_20").rename(
            columns={"method": "name", "dataset": "kind", "precision_at_20": "value"})
        title = "ITQ's 64 bits, fitted to the gallery, come nearest to exact search"
        _save(rows, "hashes", title, "P@20 by class, 95 % interval")


def _used(ratio: dict[str, Any]) -> dict[str, Any]:
    """Return a ratio as a share of the most it may be, or the least it must be as a share of the ratio."""
    sign, limit = ratio["bar"].split()
    low, value, high = (ratio[name] / float(limit) for name in ("low", "median", "high"))
    if sign == ">=":
        low, value, high = 1 / high, 1 / value, 1 / low
    return {"name": f"{ratio['name']}: {ratio['bar']}", "kind": "measured", "value": value, "low": low, "high": high}


def _save(table: pd.DataFrame, name: str, title: str, unit: str, **options: Any) -> None:
    figure = dots(table.assign(name=table["name"].map(partial(fill, width=44))), title, unit, **options)
    (OUT / f"{name}.png").write_bytes(figure_png(figure, {"Title": title}))
    (OUT / f"{name}.pdf").write_bytes(figure_pdf(figure, {"Title": title}))
    table.to_csv(OUT / f"{name}.csv", index=False, float_format="%.6g")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
