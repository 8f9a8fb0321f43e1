"""The command line: python -m fashion16_lib (or fashion16): fetch, run, build, search, info and more.

Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted. Errors are one line on stderr.
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path
from typing import Any, NoReturn

from fashion16_lib.commands import (
    add_items,
    build_library,
    remove_items,
    say,
    search_library,
    serve_library,
    show_info,
)
from fashion16_lib.settings import (
    DATASETS,
    ENGINES,
    FASHION_MNIST,
    HASHES,
    N_HITS,
    PROFILES,
    VGG16_LAYERS,
    Fashion16Error,
    build_folder,
    home,
    out_folder,
    results_folder,
    run_name,
)

SECONDS_A_PIXEL = 4.5e-6        # of VGG-16's pass on 2 cores, in ONNX Runtime


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="fashion16", description="Fashion-16, reproduced: classify, hash, search inside the class.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    fetch = commands.add_parser("fetch", help="fetch and verify Fashion-MNIST and VGG-16's weights, or photos")
    fetch.add_argument("--photos", choices=DATASETS[1:3], help="download these photos instead")
    fetch.set_defaults(do=_fetch)

    run = commands.add_parser("run", help="run notebooks (all, or those named), resuming what is up to date")
    run.add_argument("notebooks", nargs="*", metavar="NOTEBOOK", help="03 or 03-hash-with-vgg16; default all")
    _of_a_run(run)
    run.add_argument("--data-path", metavar="ZIP_OR_FOLDER", help="where the photos are (default: the photos folder)")
    run.add_argument("--where-photos-are", action="store_true", help="without the photos say so, and do nothing")
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
        _of_a_run(of_a_run)
        of_a_run.set_defaults(do=do)

    chinese = commands.add_parser("chinese", help="write the notebooks of the paper with Chinese prose into build/zh")
    chinese.set_defaults(do=_chinese)

    readme = commands.add_parser("readme", help="make the READMEs' tables of results anew from results/quick")
    readme.set_defaults(do=_readme)

    build = commands.add_parser("build", help="build a library file from a data set or a folder of class folders")
    build.add_argument("--data", required=True, metavar="DATASET_OR_FOLDER",
                       help=f"{', '.join(DATASETS[:-1])}; or a folder, or zip, of class folders")
    build.add_argument("--path", default="", metavar="ZIP_OR_FOLDER", help="where the photos of a data set are")
    build.add_argument("--classes-from", default="", metavar="COLUMN",
                       help="take the classes from a column of the photos' table, so that every photo has one")
    build.add_argument("--out", required=True, type=Path, metavar="FILE.h5")
    build.add_argument("--profile", default="quick", choices=PROFILES, help="how much of fashion-mnist (default quick)")
    build.add_argument("--bits", type=int, default=64, help="a multiple of 8 (default 64)")
    build.add_argument("--layer", default="block4_pool", choices=VGG16_LAYERS)
    build.add_argument("--pixels", type=int, default=64, help="VGG-16's input, 32 to 1024 (default 64; paper: 224)")
    build.add_argument("--seed", type=int, default=0, help="of the planes and of the softmax head")
    build.add_argument("--uncentred", action="store_true", help="planes through the origin instead of the mean")
    build.add_argument("--hash", default="random", choices=HASHES, help="planes: random, or fitted to the gallery")
    build.add_argument("--keep-features", action="store_true", help="store features too, for search --rerank")
    build.add_argument("--split-by", default="label", choices=("label", "predicted"), help="class that items lie under")
    build.add_argument("--classifier", type=Path, metavar="FILE", help="a Table 1 model instead of the softmax head")
    build.set_defaults(do=build_library)

    search = commands.add_parser("search", help="find the most similar items for images")
    search.add_argument("library", type=Path, metavar="FILE.h5")
    search.add_argument("images", nargs="+", metavar="IMAGE")
    search.add_argument(
        "-k", type=int, help=f"hits for each image (default {N_HITS}, or all items where there are fewer)"
    )
    search.add_argument("--direct", action="store_true", help="compare with all classes")
    search.add_argument("--classifier", type=Path, metavar="FILE", help="the Table 1 model the library was built with")
    search.add_argument("--rerank", type=int, default=0, metavar="N",
                        help="order the nearest N codes by cosine of the stored features")
    search.add_argument("--engine", choices=ENGINES, help="default faiss where it is installed")
    search.add_argument("--json", action="store_true", help="one JSON object a line and image")
    search.set_defaults(do=search_library)

    add = commands.add_parser("add", help="add a folder of class folders to a library file; what it has stays as it is")
    add.add_argument("library", type=Path, metavar="FILE.h5")
    add.add_argument("--data", required=True, metavar="FOLDER_OR_ZIP")
    add.add_argument("--classifier", type=Path, metavar="FILE", help="the Table 1 model the library was built with")
    add.set_defaults(do=add_items)

    remove = commands.add_parser("remove", help="remove items from a library file by their ids")
    remove.add_argument("library", type=Path, metavar="FILE.h5")
    remove.add_argument("ids", nargs="+", metavar="ID")
    remove.set_defaults(do=remove_items)

    serve = commands.add_parser("serve", help="serve the page of Fig 5, and its service, on this computer")
    serve.add_argument("library", type=Path, nargs="?", metavar="FILE.h5",
                       help="default: Fashion-MNIST's library of the profile, built first where there is none")
    serve.add_argument("--profile", default="quick", choices=PROFILES)
    serve.add_argument("--pictures", default="", metavar="ZIP_OR_FOLDER", help="where the garments' pictures are")
    serve.add_argument("--classifier", type=Path, metavar="FILE", help="the Table 1 model the library was built with")
    serve.add_argument("--port", type=int, default=8016, help="default 8016; 0 takes a free one")
    serve.set_defaults(do=_serve)

    info = commands.add_parser("info", help="say what a library file holds; without one, what is cached")
    info.add_argument("library", type=Path, nargs="?", metavar="FILE.h5")
    info.add_argument("--json", action="store_true")
    info.set_defaults(do=show_info)
    return parser


def _of_a_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("--profile", default="quick", choices=PROFILES)
    command.add_argument("--dataset", default=FASHION_MNIST, choices=DATASETS, help=f"default {FASHION_MNIST}")


def _name_of_run(args: argparse.Namespace) -> str:
    return run_name(args.profile, args.dataset)


def _fetch(args: argparse.Namespace) -> int:
    from fashion16_lib.data.catalogue import fetch_photos
    from fashion16_lib.data.dataset import CATALOGUES
    from fashion16_lib.data.fashion_mnist import ensure_fashion_mnist
    from fashion16_lib.data.vgg16_weights import ensure_vgg16_weights

    if args.photos:
        return _done(fetch_photos(CATALOGUES[args.photos]))
    print(f"Fashion-MNIST: {ensure_fashion_mnist()} (verified)")
    print(f"VGG-16 ImageNet weights: {ensure_vgg16_weights()} (verified)")
    return 0


def _run(args: argparse.Namespace) -> int:
    from fashion16_lib.run import run_notebooks
    from fashion16_lib.run.photos import missing

    parameters = {name: _literal(value) for name, value in args.parameter}
    if args.dataset != FASHION_MNIST:
        parameters["DATASET"] = args.dataset
    if args.data_path:
        parameters["DATA_PATH"] = str(Path(args.data_path).resolve())       # the notebooks run in their own folder
    if args.where_photos_are and (reason := missing(args.dataset, args.data_path or "")):
        print(f"skipped: {reason}")
        return 0
    return run_notebooks(args.notebooks or None, args.profile, parameters, force=args.force)


def _serve(args: argparse.Namespace) -> int:
    if args.library is None:
        args.library = build_folder(args.profile) / "library.h5"
        if not args.library.is_file():
            scale = PROFILES[args.profile]
            minutes = max(scale.n_gallery * scale.pixels**2 * SECONDS_A_PIXEL / 60, 1)
            say(f"fashion16 serve: there is no library yet; building one of {scale.n_gallery:,} garments, which takes "
                f"about {minutes:,.0f} minutes on 2 cores")
            build_library(_parser().parse_args([
                "build", "--data", FASHION_MNIST, "--out", str(args.library), "--profile", scale.name, "--layer",
                scale.layer, "--pixels", str(scale.pixels)]))
    return serve_library(args)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _publish(args: argparse.Namespace) -> int:
    from fashion16_lib.run import publish

    return _done(*publish(args.profile))


def _chinese(_args: argparse.Namespace) -> int:
    from fashion16_lib.run.chinese import write_chinese

    return _done(*write_chinese(out_folder() / "build" / "zh"))


def _readme(args: argparse.Namespace) -> int:
    from fashion16_lib.report.readme import update_readmes

    return _done(*update_readmes())


def _figures(args: argparse.Namespace) -> int:
    from fashion16_lib.report.index import update_index

    return _done(update_index(results_folder(_name_of_run(args)), home() / "notebooks"))


def _expect(args: argparse.Namespace) -> int:
    from fashion16_lib.evaluate.records import write_expected

    run = _name_of_run(args)
    write_expected(_expected(run), results_folder(run) / "metrics", args.profile)
    return _done(_expected(run))


def _done(*written: Path) -> int:
    print(*written, sep="\n")
    return 0


def _expected(run: str) -> Path:
    return home() / "results" / "expected" / f"{run}.json"


def _compare(args: argparse.Namespace) -> int:
    from fashion16_lib.evaluate.records import compare_with_expected, comparison_table

    run = _name_of_run(args)
    rows = compare_with_expected(_expected(run), results_folder(run) / "metrics")
    print(comparison_table(rows))
    return 0 if all(row["agrees"] for row in rows) else 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    args = _parser().parse_args(arguments)
    try:
        return args.do(args)
    except (Fashion16Error, ValueError, OSError) as error:
        say(f"fashion16 {args.command}: {' '.join(str(error).split())}")
        return 1
    except KeyboardInterrupt:
        say(f"fashion16 {args.command}: interrupted; the same command goes on where this one stopped")
        return 130


if __name__ == "__main__":
    sys.exit(main())
