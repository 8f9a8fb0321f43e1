"""What the command line does with a library file: build one, search in it, say what it holds."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fashion16_lib.files import only_writer, replace_file
from fashion16_lib.settings import DATASETS, FASHION_MNIST, MEANS, N_HITS, build_folder, data_folder


def say(text: str) -> None:
    """Print a line for people, apart from what the command answers."""
    print(text, file=sys.stderr, flush=True)


def build_library(args: argparse.Namespace) -> int:
    """Build a library file from a data set or a folder, --out; return the exit code."""
    from fashion16_lib.search.building import make_hash

    make_hash(args.hash, args.bits, args.seed, not args.uncentred)  # refuses a wrong choice before the long work
    with only_writer(args.out):
        gallery = _told(_items(args))
        model = _build(args, gallery)
        model.save(args.out)
    skipped = f", {len(gallery.skipped)} files skipped" if gallery.skipped else ""
    print(f"{args.out}: {len(gallery)} items in {len(gallery.class_names)} classes, {args.bits} bits{skipped}")
    return 0


def _build(args: argparse.Namespace, gallery: Any) -> Any:
    from fashion16_lib.models.feature_cache import CachedExtractor
    from fashion16_lib.models.softmax_head import SoftmaxHead
    from fashion16_lib.models.vgg16 import Vgg16Extractor
    from fashion16_lib.search.retrieval import Fashion16

    extractor = CachedExtractor(Vgg16Extractor(args.layer, args.pixels))
    classifier = _table1(args.classifier) or SoftmaxHead.fit_images(gallery, extractor, args.seed)
    return Fashion16.build(
        gallery,
        classifier,
        extractor,
        n_bits=args.bits,
        seed=args.seed,
        centred=not args.uncentred,
        hash=args.hash,
        split_by=args.split_by,
        keep_features=args.keep_features,
    )


def _items(args: argparse.Namespace) -> Any:
    from fashion16_lib.data.dataset import load_class_folder, load_dataset, load_items

    if args.data == FASHION_MNIST:
        return load_dataset(args.data, args.profile).gallery
    named = args.data in DATASETS
    return load_items(args.data, args.path, args.classes_from) if named else load_class_folder(args.data)


def _told(items: Any) -> Any:
    """Say which pictures a data set is without, and return it."""
    for name, reason in items.skipped:
        say(f"skipped {name}: {reason}")
    for reason, count in items.left_out:
        say(f"left out: {count:,} {reason}")
    return items


def _table1(path: Path | None) -> Any:
    if path is None:
        return None
    from fashion16_lib.models.classifier import Table1Classifier

    return Table1Classifier.load(path)


def search_library(args: argparse.Namespace) -> int:
    """Print the hits of each image; return the exit code."""
    from fashion16_lib.search.library import Library
    from fashion16_lib.search.retrieval import DirectSearch, Fashion16, check_k

    library = Library(args.library, args.engine)  # a bad file or k is told before VGG-16 is built
    k = check_k(min(N_HITS, library.n_items) if args.k is None else args.k, library.n_items)
    images = [(name, *_read_timed(name)) for name in args.images]
    kind = DirectSearch if args.direct else Fashion16
    model = kind.over(library, classifier=_table1(args.classifier), n_reranked=args.rerank)
    for name, image, decode_ms in images:
        answer = asdict(model.answer(image, k))
        answer["time_ms"] = {"decode": decode_ms, **answer["time_ms"]}
        if args.json:
            print(json.dumps({"image": name, **answer}, ensure_ascii=False))
        else:
            _print_answer(name, answer)
    return 0


def _read_timed(name: str) -> tuple[Any, float]:
    from fashion16_lib.data.pictures import read_image

    start = time.perf_counter()
    return read_image(Path(name)), 1e3 * (time.perf_counter() - start)


def _print_answer(name: str, answer: dict[str, Any]) -> None:
    label = answer["label"]
    said = f"taken for {label} ({answer['probabilities'][label]:.1%})" if label else "not classified"
    print(f"{name}: {said}, {answer['mode']} search, {sum(answer['time_ms'].values()):.0f} ms")
    for place, hit in enumerate(answer["hits"], start=1):
        print(f"{place:4}  {hit['similarity']:.3f}  {hit['distance']:4} bits  {hit['label'] or '?':12}  {hit['id']}")


def add_items(args: argparse.Namespace) -> int:
    """Add a folder's pictures to a library file; return the exit code."""
    from fashion16_lib.data.dataset import load_class_folder
    from fashion16_lib.search.library import Library
    from fashion16_lib.search.retrieval import Fashion16

    with only_writer(args.library):
        library = Library(args.library)
        items = _told(load_class_folder(args.data))
        model = Fashion16.over(library, classifier=_table1(args.classifier)).with_items(items)
        model.save(args.library)
    print(f"{args.library}: {len(items)} items added, {model.library.n_items} in all")
    return 0


def remove_items(args: argparse.Namespace) -> int:
    """Remove items from a library file; return the exit code."""
    from fashion16_lib.search.library import Library

    with only_writer(args.library):
        content = Library(args.library).without_items(args.ids)
        replace_file(args.library, content)
    print(f"{args.library}: {len(set(args.ids))} items removed, {Library(content).n_items} left")
    return 0


def serve_library(args: argparse.Namespace) -> int:
    """Serve the page of Fig 5 until Ctrl-C; return the exit code."""
    from fashion16_lib.web.serve import address_of, make_server
    from fashion16_lib.web.served import Served

    served = Served(args.library, args.pictures, _table1(args.classifier))
    if not served.current().pictures:
        say("fashion16 serve: the garments' pictures aren't known, so none are shown; give their folder or zip with "
            "--pictures")
    server = make_server(served, args.port)
    print(f"ready at {address_of(server)} (Ctrl-C ends it)", flush=True)
    server.run()
    return 0


def show_info(args: argparse.Namespace) -> int:
    """Print what a library file holds, or the caches; return the exit code."""
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
    from fashion16_lib.search.library import Library
    from fashion16_lib.search.library_file import SCHEMA_VERSION

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
