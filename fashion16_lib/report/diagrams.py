"""The paper's Fig 2 and Fig 3 drawn anew, by code, from our own network, codes and hits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from fashion16_lib.report.garments import draw_code, show_image
from fashion16_lib.report.style import INK, MUTED, OURS, headline, panels

PAPER_PIXELS = 224
UNUSED = (("fc1", "4,096"), ("fc2", "4,096"), ("softmax", "1,000"))


def vgg16_layers(network: Any) -> pd.DataFrame:
    """Return one row a layer of a built VGG-16: kind, output here and at the paper's 224 pixels, parameters."""
    pixels = network.input_shape[1]
    rows = []
    for layer in network.layers:
        height, width, channels = layer.output.shape[1:]
        scale = PAPER_PIXELS // (pixels // height) if height else 0
        kind = {"Conv2D": "convolution 3×3 + ReLU", "MaxPooling2D": "max pooling 2×2"}.get(
            type(layer).__name__, "input"
        )
        rows.append(
            {
                "layer": layer.name,
                "kind": kind,
                "output": f"{height}×{width}×{channels}",
                "at 224 px": f"{scale}×{scale}×{channels}",
                "parameters": layer.count_params(),
            }
        )
    return pd.DataFrame(rows)


def vgg16_figure(network: Any, image: np.ndarray, maps: dict[str, np.ndarray], read_at: str) -> Figure:
    """Draw VGG-16 as the slabs of Fig 2; on each block's last face is what it answers to a garment.

    maps : "block1_pool" ... "block5_pool" -> (h, w, filters) float32;   read_at : the layer whose output is hashed
    """
    figure, axes = panels(1, 1, 9.6, 3.9)
    axis = axes[0, 0]
    axis.axis("off")
    _picture(axis, image, 0, 2.9, vmin=0, vmax=255)
    axis.text(1.45, -0.25, "input", ha="center", fontsize=8)
    left = 3.15
    for block, (name, answer) in enumerate(maps.items(), start=1):
        convolutions = [layer for layer in network.layers if layer.name.startswith(f"block{block}_conv")]
        height = 2.75 * 0.8**block
        for _ in convolutions:
            _slab(axis, left, height, "#dfe7f1")
            left += 0.24
        _slab(axis, left, height, "#f3d9b0")
        left += 0.16
        _picture(axis, answer.mean(axis=2), left, height)
        centre = left + height / 2 - 0.3
        sizes = "×".join(map(str, answer.shape))
        axis.text(
            centre, -0.25, f"block {block}", ha="center", fontsize=8, weight="bold" if name == read_at else "normal"
        )
        axis.text(centre, -0.6, f"{len(convolutions)} conv + pool\n{sizes}", ha="center", va="top", fontsize=7)
        if name == read_at:
            axis.annotate(
                f"read here: {answer.size:,} numbers\nto hash and softmax head",
                (left + height / 2, height + 0.05),
                (left + height / 2, 3.05),
                ha="center",
                fontsize=8,
                color=OURS,
                weight="bold",
                arrowprops={"arrowstyle": "<-", "color": OURS},
            )
        left += height + 0.3
    for name, size in UNUSED:
        axis.add_patch(
            FancyBboxPatch((left, 0), 0.3, 1.7, boxstyle="round,pad=0.04", fill=False, linestyle="--", edgecolor=MUTED)
        )
        axis.text(left + 0.15, 0.85, f"{name}  {size}", rotation=90, ha="center", va="center", fontsize=7, color=MUTED)
        left += 0.6
    axis.text(left - 0.9, -0.25, "in Fig 2, not used", ha="center", fontsize=7, color=MUTED)
    axis.set(xlim=(-0.1, left), ylim=(-1.4, 3.7))      # last: every picture moves the limits
    headline(figure, "VGG-16: 13 convolutions (blue), 5 poolings (orange), and what a garment becomes on the way")
    return figure


def _picture(axis: Any, picture: np.ndarray, left: float, height: float, **limits: Any) -> None:
    axis.imshow(picture, extent=(left, left + height, 0, height), aspect="auto", zorder=3, **limits)
    axis.add_patch(Rectangle((left, 0), height, height, fill=False, edgecolor=INK, linewidth=0.7, zorder=4))


def _slab(axis: Any, left: float, height: float, colour: str) -> None:
    lean = 0.14
    corners = [(left, 0), (left + lean, 0.12), (left + lean, height + 0.12), (left, height)]
    axis.add_patch(Polygon(corners, facecolor=colour, edgecolor=INK, linewidth=0.7))


def fashion16_figure(
    image: np.ndarray,
    feature: np.ndarray,
    code: np.ndarray,
    answer: Any,
    hits: list[np.ndarray],
    counts: dict[str, int],
) -> Figure:
    """Draw Fig 3, the whole model, with one real query going through it.

    feature : (d,) float32;   code : (bytes,) uint8;   answer : search.retrieval.Answer
    hits : pictures of the first hits;   counts : items in each class library
    """
    figure, axes = panels(1, 1, 9.8, 5.4)
    canvas = axes[0, 0]
    canvas.axis("off")
    canvas.set(xlim=(0, 100), ylim=(0, 56))
    boxes = {
        "gallery": (1, 38, 15, 12, "Gallery (training)"),
        "vgg": (24, 22, 13, 26, "VGG-16, frozen"),
        "head": (46, 36, 15, 14, "Softmax head"),
        "hash": (46, 12, 15, 16, "Random planes"),
        "library": (70, 18, 28, 32, "Code libraries (HDF5), one a class"),
        "query": (1, 12, 15, 17, "Query"),
        "hits": (24, 0.5, 74, 9.5, ""),
    }
    for left, bottom, width, height, name in boxes.values():
        canvas.add_patch(
            FancyBboxPatch((left, bottom), width, height, boxstyle="round,pad=0.4", facecolor="#f7f7f7", edgecolor=INK)
        )
        canvas.text(left + width / 2, bottom + height - 1.6, name, ha="center", va="center", fontsize=9, weight="bold")
    canvas.text(8.5, 42, f"{sum(counts.values()):,} images\nwith classes", ha="center", va="center", fontsize=8)
    canvas.text(30.5, 25, f"{feature.size:,}\nnumbers", ha="center", va="center", fontsize=8)
    for start, end in (
        ((16.8, 44), (23.2, 40)),
        ((16.8, 20), (23.2, 28)),
        ((37.8, 38), (45.2, 42)),
        ((37.8, 28), (45.2, 21)),
        ((61.8, 42), (69.2, 40)),
        ((61.8, 20), (69.2, 24)),
        ((84, 17.2), (84, 10.8)),
    ):
        canvas.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=14, color=OURS, linewidth=1.6))
    canvas.text(65.5, 43.4, "which\nlibrary", ha="center", fontsize=7.5, color=OURS)
    canvas.text(65.5, 15.4, "which\ncodes", ha="center", fontsize=7.5, color=OURS)
    canvas.text(85.5, 13.6, f"the {len(hits)} most similar", fontsize=7.5, color=OURS, va="center")
    show_image(_inset(canvas, 3.5, 13, 10, 12), image)
    vgg = _inset(canvas, 26, 29, 9, 15)
    show_image(vgg, feature[: feature.size // 64 * 64].reshape(64, -1)[:, :48], vmin=None, vmax=None)
    _draw_probabilities(_inset(canvas, 53.2, 36.6, 7.4, 10.4), answer)
    strip = _inset(canvas, 47.5, 13, 12, 11)
    bits = np.unpackbits(code)
    draw_code(strip, bits, bits)
    _draw_libraries(_inset(canvas, 79, 19, 16, 27.4), counts, answer.label)
    for number, hit in enumerate(hits):
        show_image(_inset(canvas, 25 + 7.3 * number, 1.2, 6.6, 8), hit)
    headline(
        figure,
        f"Fashion-16: the query is taken for {answer.label}, hashed to {bits.size} bits, "
        f"compared in 1 library of {len(counts)}",
    )
    return figure


def _inset(canvas: Any, left: float, bottom: float, width: float, height: float) -> Any:
    return canvas.inset_axes((left, bottom, width, height), transform=canvas.transData)


def _bare_bars(axis: Any, names: list[str], values: list[float], chosen: str) -> None:
    colours = [OURS if name == chosen else "#c9c9c9" for name in names]
    axis.barh(range(len(names)), values, color=colours, edgecolor=INK, linewidth=0.4)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.tick_params(labelsize=6.5, length=0)
    axis.set_xticks([])
    axis.grid(False)
    axis.patch.set_alpha(0)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _draw_probabilities(axis: Any, answer: Any) -> None:
    likeliest = sorted(answer.probabilities, key=answer.probabilities.get, reverse=True)[:4]
    _bare_bars(axis, likeliest, [answer.probabilities[name] for name in likeliest], answer.label)


def _draw_libraries(axis: Any, counts: dict[str, int], chosen: str) -> None:
    _bare_bars(axis, list(counts), list(counts.values()), chosen)
    for place, count in enumerate(counts.values()):
        axis.text(count, place, f" {count:,}", va="center", fontsize=6.5)
