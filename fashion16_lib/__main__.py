"""The command line: python -m fashion16_lib (or fashion16): fetch, run, build, search, info and more.

Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted. Errors are one line on stderr.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from fashion16_lib.settings import (
    MEANS,
    N_HITS,
    PROFILES,
    VGG16_LAYERS,
    Fashion16Error,
    build_folder,
    data_folder,
    home,
    results_folder,
    run_name,
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="fashion16", description="Fashion-16, reproduced: classify, hash, search inside the class.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    commands.add_parser("fetch", help="fetch and verify Fashion-MNIST and VGG-16's weights").set_defaults(do=_fetch)

    run = commands.add_parser("run", help="run notebooks (all, or those named), resuming what is up to date")
    run.add_argument("notebooks", nargs="*", metavar="NOTEBOOK", help="03 or 03-hash-with-vgg16; default all")
    run.add_argument("--profile", default="quick", choices=PROFILES)
    run.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    run.add_argument("--force", action="store_true", help="run even what is up to date")
    run.set_defaults(do=_run)

    for name, do, words in (
        ("publish", _publish, "put a run's executed notebooks into notebooks/, cleaned"),
        ("figures", _figures, "show a run's figures and tables on one page, index.html in its results"),
        ("compare", _compare, "compare a run's metrics with results/expected; exit 1 on a difference"),
        ("expect", _expect, "take a run's metrics as those in results/expected that reruns are held to"),
    ):
        of_a_run = commands.add_parser(name, help=words)
        of_a_run.add_argument("--profile", default="quick", choices=PROFILES)
        of_a_run.set_defaults(do=do)

    readme = commands.add_parser("readme", help="make the READMEs' tables of results anew from results/quick")
    readme.set_defaults(do=_readme)

    build = commands.add_parser("build", help="build a library file from a data set or a folder of class folders")
    build.add_argument("--data", required=True, metavar="DATASET_OR_FOLDER", help="fashion-mnist, or a folder")
    build.add_argument("--out", required=True, type=Path, metavar="FILE.h5")
    build.add_argument("--profile", default="quick", choices=PROFILES, help="how much of fashion-mnist (default quick)")
    build.add_argument("--bits", type=int, default=64, help="a multiple of 8 (default 64)")
    build.add_argument("--layer", default="block4_pool", choices=VGG16_LAYERS)
    build.add_argument("--pixels", type=int, default=64, help="VGG-16's input, 32 to 1024 (default 64; paper: 224)")
    build.add_argument("--seed", type=int, default=0, help="of the planes and of the softmax head")
    build.add_argument("--uncentred", action="store_true", help="planes through the origin instead of the mean")
    build.add_argument("--split-by", default="label", choices=("label", "predicted"), help="class that items lie under")
    build.add_argument("--classifier", type=Path, metavar="FILE", help="a Table 1 model instead of the softmax head")
    build.set_defaults(do=_build)

    search = commands.add_parser("search", help="find the most similar items for images")
    search.add_argument("library", type=Path, metavar="FILE.h5")
    search.add_argument("images", nargs="+", metavar="IMAGE")
    search.add_argument(
        "-k", type=int, help=f"hits for each image (default {N_HITS}, or all items where there are fewer)"
    )
    search.add_argument("--direct", action="store_true", help="compare with all classes")
    search.add_argument("--classifier", type=Path, metavar="FILE", help="the Table 1 model the library was built with")
    search.add_argument("--json", action="store_true", help="one JSON object a line and image")
    search.set_defaults(do=_search)

    info = commands.add_parser("info", help="say what a library file holds; without one, what is cached")
    info.add_argument("library", type=Path, nargs="?", metavar="FILE.h5")
    info.add_argument("--json", action="store_true")
    info.set_defaults(do=_info)
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fetch(args: argparse.Namespace) -> int:
    from fashion16_lib.data.fashion_mnist import ensure_fashion_mnist
    from fashion16_lib.data.vgg16_weights import ensure_vgg16_weights

    print(f"Fashion-MNIST: {ensure_fashion_mnist()} (verified)")
    print(f"VGG-16 ImageNet weights: {ensure_vgg16_weights()} (verified)")
    return 0


def _run(args: argparse.Namespace) -> int:
    from fashion16_lib.run import run_notebooks

    parameters = {name: _literal(value) for name, value in args.parameter}
    return run_notebooks(args.notebooks or None, args.profile, parameters, force=args.force)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _publish(args: argparse.Namespace) -> int:
    from fashion16_lib.run import publish

    return _done(*publish(args.profile))


def _readme(args: argparse.Namespace) -> int:
    from fashion16_lib.report.readme import update_readmes

    return _done(*update_readmes())


def _figures(args: argparse.Namespace) -> int:
    from fashion16_lib.report.index import update_index

    return _done(update_index(results_folder(args.profile), home() / "notebooks"))


def _expect(args: argparse.Namespace) -> int:
    from fashion16_lib.evaluate.records import write_expected

    write_expected(_expected(args.profile), results_folder(args.profile) / "metrics", args.profile)
    return _done(_expected(args.profile))


def _done(*written: Path) -> int:
    print(*written, sep="\n")
    return 0


def _expected(profile: str) -> Path:
    return home() / "results" / "expected" / f"{run_name(profile)}.json"


def _compare(args: argparse.Namespace) -> int:
    from fashion16_lib.evaluate.records import compare_with_expected, comparison_table

    rows = compare_with_expected(_expected(args.profile), results_folder(args.profile) / "metrics")
    print(comparison_table(rows))
    return 0 if all(row["agrees"] for row in rows) else 1


def _build(args: argparse.Namespace) -> int:
    from fashion16_lib.data.dataset import DATASETS, load_class_folder, load_dataset
    from fashion16_lib.search.hyperplanes import RandomHyperplanes

    RandomHyperplanes(args.bits, args.seed)  # refuses a wrong number of bits before the long work
    gallery = load_dataset(args.data, args.profile).gallery if args.data in DATASETS else load_class_folder(args.data)
    for name, reason in gallery.skipped:
        _say(f"skipped {name}: {reason}")

    from fashion16_lib.models.feature_cache import CachedExtractor
    from fashion16_lib.models.softmax_head import SoftmaxHead
    from fashion16_lib.models.vgg16 import Vgg16Extractor
    from fashion16_lib.search.retrieval import Fashion16

    classifier = _table1(args.classifier)
    extractor = CachedExtractor(Vgg16Extractor(args.layer, args.pixels))
    if classifier is None:
        features = extractor.extract(gallery.images)
        classifier = SoftmaxHead.fit(features, gallery.labels, gallery.class_names, extractor, args.seed)
    model = Fashion16.build(
        gallery,
        classifier,
        extractor,
        n_bits=args.bits,
        seed=args.seed,
        centred=not args.uncentred,
        split_by=args.split_by,
    )
    model.save(args.out)
    skipped = f", {len(gallery.skipped)} files skipped" if gallery.skipped else ""
    print(f"{args.out}: {len(gallery)} items in {len(gallery.class_names)} classes, {args.bits} bits{skipped}")
    return 0


def _table1(path: Path | None) -> Any:
    if path is None:
        return None
    from fashion16_lib.models.classifier import Table1Classifier

    return Table1Classifier.load(path)


def _search(args: argparse.Namespace) -> int:
    from fashion16_lib.search.library import Library
    from fashion16_lib.search.retrieval import DirectSearch, Fashion16, check_k

    n_items = Library(args.library).n_items  # a bad file or k is told before VGG-16 is built
    k = check_k(min(N_HITS, n_items) if args.k is None else args.k, n_items)
    images = [(name, *_read_timed(name)) for name in args.images]
    kind = DirectSearch if args.direct else Fashion16
    model = kind.open(args.library, classifier=_table1(args.classifier))
    for name, image, decode_ms in images:
        answer = asdict(model.answer(image, k))
        answer["time_ms"] = {"decode": decode_ms, **answer["time_ms"]}
        if args.json:
            print(json.dumps({"image": name, **answer}, ensure_ascii=False))
        else:
            _print_answer(name, answer)
    return 0


def _read_timed(name: str) -> tuple[Any, float]:
    from fashion16_lib.data.class_folder import read_image

    start = time.perf_counter()
    return read_image(Path(name)), 1e3 * (time.perf_counter() - start)


def _print_answer(name: str, answer: dict[str, Any]) -> None:
    label = answer["label"]
    said = f"taken for {label} ({answer['probabilities'][label]:.1%})" if label else "not classified"
    print(f"{name}: {said}, {answer['mode']} search, {sum(answer['time_ms'].values()):.0f} ms")
    for place, hit in enumerate(answer["hits"], start=1):
        print(f"{place:4}  {hit['similarity']:.3f}  {hit['distance']:4} bits  {hit['label'] or '?':12}  {hit['id']}")


def _info(args: argparse.Namespace) -> int:
    found = _library_info(args.library) if args.library else _cache_info()
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    for name, value in found.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for key, inner in value.items():
                print(f"  {key}: {inner}")
        else:
            print(f"{name}: {value}")
    return 0


def _library_info(path: Path) -> dict[str, Any]:
    from fashion16_lib.search.library import SCHEMA_VERSION, Library

    library = Library(path)
    settings = {name: value for name, value in library.settings.items() if name != "class_names"}
    return {
        "file": str(path),
        "schema_version": SCHEMA_VERSION,
        "bytes": path.stat().st_size,
        "items": library.n_items,
        "classes": library.counts,
        **settings,
    }


def _cache_info() -> dict[str, Any]:
    from fashion16_lib.models.feature_cache import CAP_BYTES, cache_bytes

    built = sorted(path.name for path in build_folder("quick").parent.glob("*/notebooks") if path.is_dir())
    return {
        "data_folder": str(data_folder()),
        "feature_cache_bytes": cache_bytes(),
        "feature_cache_cap_bytes": CAP_BYTES,
        "runs": built,
        "mean_readings": list(MEANS),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    args = _parser().parse_args(arguments)
    try:
        return args.do(args)
    except (Fashion16Error, ValueError, OSError) as error:
        _say(f"fashion16 {args.command}: {' '.join(str(error).split())}")
        return 1
    except KeyboardInterrupt:
        _say(f"fashion16 {args.command}: interrupted; the same command goes on where this one stopped")
        return 130


if __name__ == "__main__":
    sys.exit(main())
