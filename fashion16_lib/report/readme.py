"""What the READMEs say of results, generated from the results themselves so that it can't drift."""

from __future__ import annotations

import json
from pathlib import Path

from fashion16_lib.evaluate.claims import CLAIMS
from fashion16_lib.evaluate.records import read_metrics
from fashion16_lib.evaluate.verdict import judge_all
from fashion16_lib.files import replace_file
from fashion16_lib.report.index import maker_of, not_run
from fashion16_lib.report.notebook import IN_WORDS
from fashion16_lib.report.verdicts import claims_markdown
from fashion16_lib.settings import home, parts_of_run

PHOTOS = "quick-product-photos"
RESULTS = "<!-- results: make readme -->", "<!-- /results -->"
COLUMNS = {"quick": "`quick`", "full": "`full`", PHOTOS: "`quick`, product photos"}     # runs shown
CLAIMED = "<!-- claims: make readme -->", "<!-- /claims -->"
MEASURED = "<!-- bench: make readme -->", "<!-- /bench -->"
ROWS = (        # metrics file, name, what it is in words
    ("02-train-classifier", "parameters", "parameters of Table 1's network"),
    ("02-train-classifier", "test_accuracy", "its accuracy on the test images (10,000 of Fashion-MNIST; 3,869 photos)"),
    ("10-classify-precisely", "best_epoch", "its best epoch on the tuning images"),
    ("05-search-by-image", "decider_accuracy", "accuracy of the softmax head, the default decider"),
    ("05-search-by-image", "table_1_accuracy", "accuracy of Table 1's network on the same queries"),
    ("05-search-by-image", "exact_cosine_precision_at_20", "P@20, direct, exact cosine (no hash)"),
    ("05-search-by-image", "exact_cosine_precision_at_20_macro", "the same, each class counted once"),
    ("05-search-by-image", "direct_precision_at_20", "P@20, direct, 64-bit codes, planes of seed 0"),
    ("05-search-by-image", "centred_precision_at_20_over_seeds", "the same, mean and range over 5 seeds of the planes"),
    ("05-search-by-image", "centred_minus_uncentred_precision_at_20", "of which centring brings, mean and range"),
    ("05-search-by-image", "in_class_precision_at_20_true_class_library", "P@20, in class, library by true class"),
    ("05-search-by-image", "in_class_precision_at_20",
     "P@20, in class, library by predicted class (the decider has learned from the gallery)"),
    ("14-compare-direct-and-in-class", "direct_instance_recall_at_20", "the same garment among the 20, direct"),
    ("14-compare-direct-and-in-class", "in_class_minus_direct_instance_recall_at_20", "in class minus direct"),
    ("23-learn-the-hash", "random_48_bits_map", "mAP, 48 bits, random planes (mean of 5 seeds)"),
    ("23-learn-the-hash", "itq_48_bits_map", "mAP, 48 bits, ITQ"),
    ("23-learn-the-hash", "cosine_map", "mAP, exact cosine (no hash)"),
)


def results_table(results: Path) -> str:
    """Return the README's table of results as Markdown, a column a run of COLUMNS.

    results : the folder of all runs
    """
    lines = [f"| what | {' | '.join(COLUMNS.values())} |", "|---" * (1 + len(COLUMNS)) + "|"]
    for notebook, name, words in ROWS:
        cells = [_value(results / run / "metrics" / f"{notebook}.json", name) for run in COLUMNS]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _value(path: Path, name: str) -> str:
    """Return a metric with its interval, or that its notebook wasn't run."""
    if not path.is_file():
        return "not run"
    record = read_metrics(path).get(name)
    if record is None:
        return "not measured"
    value = f"{record['value']:,}" if isinstance(record["value"], int) else f"{record['value']:.3f}"
    return value if record["low"] is None else f"{value} [{record['low']:.3f}, {record['high']:.3f}]"


def bench_table(results: Path) -> str:
    """Return what `make bench` measured beside its limits as Markdown.

    results : the folder of all runs
    """
    parts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((results / "bench").glob("*.json"))]
    lines = ["| what | measured [quartiles] | limit | times |", "|---|---|---|---|"]
    for ratio in (ratio for part in parts for ratio in part["ratios"] if ratio["bar"]):
        spread = "" if ratio["low"] == ratio["high"] else f" [{ratio['low']:.2f}, {ratio['high']:.2f}]"
        lines.append(f"| {ratio['name']} | {ratio['median']:.2f}{spread} | {ratio['bar']} | {ratio['detail']} |")
    lines += ["", "| P@20 at 64 bits, mean of 5 seeds | data | difference [95 %] | limit |", "|---|---|---|---|"]
    for each in (each for part in parts for each in part.get("differences", [])):
        found = f"{each['difference']:+.3f} [{each['low']:+.3f}, {each['high']:+.3f}]"
        lines.append(f"| {each['ours']} minus {each['theirs']} | {each['dataset']} | {found} | {each['bar']} |")
    return "\n".join(lines)


def with_results(readme: str, results: Path) -> str:
    """Return the README's text with its tables of results, of claims and of benchmarks made anew.

    results : the folder of the run whose claims are judged; the other runs lie beside it
    """
    findings, on_photos = (judge_all(CLAIMS, results.with_name(run) / "metrics") for run in ("quick", PHOTOS))
    claims = claims_markdown(findings, on_photos)
    tables = ((RESULTS, results_table(results.parent)), (CLAIMED, claims), (MEASURED, bench_table(results.parent)))
    for marks, table in tables:
        readme = _between(readme, *marks, table)
    return readme


def _between(text: str, start: str, end: str, table: str) -> str:
    before, _, rest = text.partition(start)
    return f"{before}{start}\n\n{table}\n\n{end}{rest.partition(end)[2]}"


def results_page(quick: Path, notebooks: Path) -> str:
    """Return results/README.md: each file, the notebook that makes it, and what that notebook reads.

    quick : results/quick; the runs beside it follow, but for smoke, which is for tests
    notebooks : the folder of the numbered notebooks
    """
    others = [run for run in sorted(quick.parent.iterdir()) if run != quick and not run.name.startswith("smoke")]
    runs = [quick, *(run for run in others if (run / "metrics").is_dir())]
    lines = [
        "# results/",
        "",
        "One folder a run, named after its profile and, where that isn't Fashion-MNIST, its data set; `expected/` "
        "holds the numbers that reruns are compared with "
        "(`make verify`). Made by `make paper`; figures are ours and under the project's licence; this page by "
        "`make readme`; `index.html` in a run's folder, which shows its figures and tables on one page, by "
        "`make figures`; `page/`, pictures of the page of Fig 5, by `make screenshots`; `bench/`, ratios and their "
        "figures, by `make bench`. Models and libraries (`.keras`, `.h5`) lie in `build/`, which isn't committed.",
    ]
    return "\n".join(lines + [line for run in runs for line in _files_of(run, notebooks)]) + "\n"


def _files_of(run: Path, notebooks: Path) -> list[str]:
    """Return a run's NOTE.md, if it has one, and its files as the lines of a Markdown table."""
    note, (_, dataset) = run / "NOTE.md", parts_of_run(run.name)
    lines = ["", note.read_text(encoding="utf-8").strip()] if note.is_file() else []
    lines += ["", f"| file in {run.name}/ | as | notebook | reads |", "|---|---|---|---|"]
    for kind in ("figures", "tables", "metrics"):
        endings: dict[str, list[str]] = {}
        for path in sorted((run / kind).glob("[!.]*")):
            endings.setdefault(path.stem, []).append(path.suffix[1:])
        for stem, kinds in endings.items():
            maker = maker_of(stem, notebooks)
            about = json.loads(maker.read_text(encoding="utf-8"))["metadata"]["fashion16"]
            needed = [name for name in about["requires"] if name != dataset]
            inputs, forms = ", ".join([IN_WORDS[dataset], *needed, *about["reads"]]), ", ".join(kinds)
            link = f"[{maker.stem}](../notebooks/{maker.name})"
            lines.append(f"| {kind}/{stem} | {forms} | {link} | {inputs} |")
    missing = ", ".join(path.stem for path in not_run(run, notebooks))
    return [*lines, "", f"Not run at {run.name}: {missing}."] if missing else lines


def update_readmes() -> list[Path]:
    """Rewrite README.md's tables and results/README.md from the quick profile's results."""
    front, results = home() / "README.md", home() / "results"
    text = with_results(front.read_text(encoding="utf-8"), results / "quick")
    replace_file(front, text.encode())
    replace_file(results / "README.md", results_page(results / "quick", home() / "notebooks").encode())
    return [front, results / "README.md"]
