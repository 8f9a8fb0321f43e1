"""Pictures of garments: rows, grids, codes as strips, the collage of hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fashion16_lib.data.dataset import Dataset
from fashion16_lib.report.style import INK, MUTED, OURS, PAPER_RED, headline, panels
from fashion16_lib.search.hamming import hamming_distances


def show_image(axis: Any, image: np.ndarray, title: str = "", **options: Any) -> None:
    """Draw one picture without ticks; grey levels run from 0 to 255 unless told otherwise."""
    limits = {} if image.ndim == 3 else {"vmin": 0, "vmax": 255}
    axis.imshow(image, **{**limits, **options})
    axis.set_title(title, fontsize=8, loc="center")
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    for spine in axis.spines.values():
        spine.set(visible=True, color=MUTED, linewidth=0.6)


def mark_wrong(axis: Any) -> None:
    """Give a picture that was shown a red title and a dashed red frame."""
    axis.title.set(color=PAPER_RED, weight="bold")
    for spine in axis.spines.values():
        spine.set(color=PAPER_RED, linewidth=2, linestyle="--")


def samples_by_class(photos: Dataset, per_class: int, title: str) -> Figure:
    """Draw the first garments of each class, a class a row (the paper's Fig 1)."""
    n_classes = len(photos.class_names)
    figure, axes = panels(n_classes, per_class, 0.72 * per_class + 1.1, 0.72 * n_classes + 0.5)
    for label, row in enumerate(axes):
        places = np.flatnonzero(photos.labels == label)[:per_class]
        for axis in row[len(places) :]:
            axis.axis("off")
        for axis, place in zip(row, places, strict=False):
            show_image(axis, photos.images[place])
        row[0].set_ylabel(photos.class_names[label], rotation=0, ha="right", va="center")
    headline(figure, title)
    return figure


def in_a_row(images: Sequence[np.ndarray], captions: Sequence[str], title: str, **options: Any) -> Figure:
    """Draw pictures side by side, each with its caption above."""
    figure, axes = panels(1, len(images), 1.45 * len(images), 1.95)
    for axis, image, caption in zip(axes[0], images, captions, strict=True):
        show_image(axis, image, caption, **options)
    headline(figure, title)
    return figure


def rows_of_pictures(rows: Mapping[str, Sequence[np.ndarray]], captions: Sequence[str], title: str) -> Figure:
    """Draw named rows of pictures, a caption over each column."""
    figure, axes = panels(len(rows), len(captions), 1.15 * len(captions) + 0.6, 1.3 * len(rows) + 0.6)
    for number, (row, (name, images)) in enumerate(zip(axes, rows.items(), strict=True)):
        for axis, image, caption in zip(row, images, captions, strict=True):
            show_image(axis, image, caption if number == 0 else "")
        row[0].set_ylabel(name, fontsize=8)
    headline(figure, title)
    return figure


def show_codes(images: Sequence[np.ndarray], codes: np.ndarray, captions: Sequence[str], title: str) -> Figure:
    """Draw garments over their codes as strips of black (0) and white (1); bits unlike the first's are outlined.

    codes : (n, bytes) uint8
    """
    figure, axes = panels(2, len(images), 1.45 * len(images), 2.6, height_ratios=(3, 1.5))
    distances = hamming_distances(codes[:1], codes)[0]
    bits = np.unpackbits(codes, axis=1)
    for column, (image, caption) in enumerate(zip(images, captions, strict=True)):
        show_image(axes[0, column], image, caption)
        draw_code(axes[1, column], bits[column], bits[0])
        said = "compared with this" if column == 0 else f"{distances[column]} bits differ"
        axes[1, column].set_xlabel(said, fontsize=8)
    headline(figure, title)
    return figure


def draw_code(axis: Any, bits: np.ndarray, reference: np.ndarray, columns: int = 16) -> None:
    """Draw bits (n,) in lines of 16, outlining those that differ from the reference."""
    columns = min(columns, len(bits))
    grid = bits.reshape(-1, columns)
    show_image(axis, grid * 255)
    for row, column in np.argwhere(grid != reference.reshape(-1, columns)):
        axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=PAPER_RED, linewidth=1.1))


def show_feature_maps(image: np.ndarray, maps: dict[str, np.ndarray], per_layer: int = 8) -> Figure:
    """Draw a garment and the liveliest feature maps of some layers, a layer a row.

    maps : layer name -> (h, w, filters) float32
    """
    figure, axes = panels(len(maps), per_layer + 1, 0.95 * (per_layer + 1) + 0.6, 1.02 * len(maps) + 0.45)
    for row, (layer, answer) in zip(axes, maps.items(), strict=True):
        show_image(row[0], image)
        row[0].set_ylabel(f"{layer}\n{answer.shape[0]}×{answer.shape[1]}×{answer.shape[2]}", fontsize=8)
        liveliest = np.argsort(answer.std(axis=(0, 1)))[::-1][:per_layer]
        for axis, filter_number in zip(row[1:], liveliest, strict=True):
            show_image(axis, answer[:, :, filter_number], vmin=None, vmax=None)
    headline(figure, "What VGG-16 makes of a garment: deeper maps are coarser and harder to name")
    return figure


def show_two_planes(images: np.ndarray, sides: np.ndarray, title: str) -> Figure:
    """Draw garments where two planes put them: the axes are the signed distances, the lines are the planes.

    images : (n, h, w) uint8;   sides : (n, 2) signed distances to plane 1 and plane 2
    """
    figure, axes = panels(1, 1, 7.2, 5.4)
    axis = axes[0, 0]
    reach = 1.12 * np.abs(sides).max(axis=0)
    half = 0.034 * reach
    for image, (x, y) in zip(images, sides, strict=True):
        axis.imshow(
            255 - image,
            extent=(x - half[0], x + half[0], y - 1.3 * half[1], y + 1.3 * half[1]),
            vmin=0,
            vmax=255,
            alpha=(image > 20) * 0.9,
            zorder=2,
        )
    axis.axvline(0, color=INK, linewidth=1.4)
    axis.axhline(0, color=INK, linewidth=1.4)
    for x, y, bits in ((-1, 1, "01"), (1, 1, "11"), (-1, -1, "00"), (1, -1, "10")):
        axis.text(
            0.97 * x * reach[0],
            0.93 * y * reach[1],
            f"code {bits}",
            color=OURS,
            weight="bold",
            ha="right" if x > 0 else "left",
            va="center",
        )
    axis.set(
        xlim=(-reach[0], reach[0]),
        ylim=(-reach[1], reach[1]),
        aspect="auto",
        xlabel="projection on the normal of plane 1 (bit 1)",
        ylabel="projection on the normal of plane 2 (bit 2)",
    )
    headline(figure, title)
    return figure


def hits_in_rows(
    searches: dict[str, tuple[np.ndarray, str, Sequence[tuple[np.ndarray, str, bool]]]], title: str
) -> Figure:
    """Draw named queries with their hits, a query a row; a wrong hit gets a cross and a dashed frame.

    searches : name of the row -> (query, what is said of it, [(hit, what is said of it, whether it is right), ...])
    """
    n_hits = max(len(hits) for _, _, hits in searches.values())
    figure, axes = panels(len(searches), n_hits + 1, 0.88 * (n_hits + 1) + 0.4, 1.3 * len(searches) + 0.6)
    for axis in axes.flat:
        axis.axis("off")
    for row, (name, (query, said, hits)) in zip(axes, searches.items(), strict=True):
        row[0].axis("on")
        show_image(row[0], query)
        row[0].set_title(f"QUERY\n{said}", fontsize=8, weight="bold", loc="center")
        row[0].set_ylabel(name, fontsize=8)
        for axis, (image, words, right) in zip(row[1:], hits, strict=False):
            axis.axis("on")
            show_image(axis, image, f"{'✓' if right else '✗'}\n{words}")
            if not right:
                mark_wrong(axis)
    headline(figure, title)
    return figure


def collage(query: np.ndarray, query_label: str, answer: Any, gallery: Dataset, title: str) -> Figure:
    """Draw a query and its hits with class and similarity; a wrong class gets a cross and a dashed frame.

    answer : search.retrieval.Answer over `gallery`
    """
    place_of = {item: place for place, item in enumerate(gallery.ids)}
    rows = -(-len(answer.hits) // 7)
    figure, axes = panels(rows, 8, 9.6, 1.62 * rows + 0.5)
    for axis in axes.flat:
        axis.axis("off")
    show_image(axes[0, 0], query)
    axes[0, 0].axis("on")
    said = f"taken for {answer.label}" if answer.label else "not classified"
    axes[0, 0].set_title(f"QUERY\n{query_label}", fontsize=8, weight="bold", loc="center")
    axes[0, 0].set_xlabel(said, fontsize=8)
    for number, hit in enumerate(answer.hits):
        axis = axes[number // 7, 1 + number % 7]
        axis.axis("on")
        right = hit.label == query_label
        show_image(axis, gallery.images[place_of[hit.id]], f"{'✓' if right else '✗'} {hit.label}")
        axis.set_xlabel(f"{hit.similarity:.3f} · {hit.distance} differ", fontsize=7)
        if not right:
            mark_wrong(axis)
    headline(figure, title)
    return figure
