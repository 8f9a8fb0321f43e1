"""What the paper's own numbers say when they are computed again: no data of ours, arithmetic only."""

from __future__ import annotations

import numpy as np

from fashion16_lib.evaluate import paper
from fashion16_lib.evaluate.statistics import Estimate, power_law, proportion


def parameters_of(shapes: dict[str, tuple[int, ...]], kernel: int = 3, channels: int = 1) -> int:
    """Count the weights and biases that a table of layer outputs implies (Table 1)."""
    total = 0
    before: tuple[int, ...] = (channels,)
    for name, shape in shapes.items():
        if name.startswith("conv"):
            total += shape[-1] * (kernel * kernel * before[-1] + 1)
        elif name.startswith("dense"):
            total += shape[-1] * (before[-1] + 1)
        before = shape
    return total


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return exp(z_j) / sum of exp(z_i) (1.2)."""
    powers = np.exp(np.asarray(scores, np.float64) - np.max(scores))
    return powers / powers.sum()


def shorter_and_faster_percent(before: float, after: float) -> tuple[float, float]:
    """Return how much less time and how much more speed a change from `before` to `after` seconds is, in percent."""
    return 100 * (1 - after / before), 100 * (before / after - 1)


def scan_and_rest(direct_seconds: float, in_class_seconds: float, n_classes: int = 10) -> tuple[float, float]:
    """Split two search times into the scan of the whole library and the rest, which both share.

    direct = rest + scan;   in class = rest + scan / n_classes, for classes of equal size
    """
    scan = (direct_seconds - in_class_seconds) / (1 - 1 / n_classes)
    return scan, direct_seconds - scan


def table_2_without_the_fourth_row() -> tuple[float, float]:
    """Return what a power law through Table 2's other five rows gives at 200,000 and at the printed 20,000 images."""
    others = [(n, 1 - precision) for n, precision in paper.TABLE_2 if n != 200_000]
    law = power_law(*map(np.array, zip(*others, strict=True)))
    return float(1 - law.at(200_000)), float(1 - law.at(20_000))


def recomputed_accuracy() -> Estimate:
    """Return the paper's 92.71 % of 20,000 with its Wilson interval (2.1.1)."""
    return proportion(np.arange(paper.N_ACCURACY) < round(paper.ACCURACY * paper.N_ACCURACY))


def recomputed(
    lowest_input: float, bucket_distance: int, vgg16_shape: tuple[int, ...], n_convolutions: int
) -> dict[str, Estimate | float]:
    """Return everything in the paper that arithmetic can check, by the name of its metric.

    Parameters
    ----------
    lowest_input : the smallest value that "remove the mean, then / 255" gives real images, over the readings of it
    bucket_distance : the largest Hamming distance between two real codes that are equal, so in one bucket
    vgg16_shape, n_convolutions : of VGG-16's last pooling at 224 pixels, and its convolutions, counted in the network
    """
    shorter, faster = shorter_and_faster_percent(paper.DIRECT_SECONDS, paper.IN_CLASS_SECONDS)
    scan, rest = scan_and_rest(paper.DIRECT_SECONDS, paper.IN_CLASS_SECONDS)
    sizes, precision = map(np.array, zip(*paper.TABLE_2, strict=True))
    law, (at_200, at_20) = power_law(sizes, 1 - precision), table_2_without_the_fourth_row()
    scores, printed = paper.SOFTMAX_DEMO
    return {
        "table_1_parameters": parameters_of(paper.TABLE_1),
        "table_1_flatten": int(np.prod(paper.TABLE_1["dropout_1"])),
        "dropouts_before_flatten": list(paper.TABLE_1)[: list(paper.TABLE_1).index("flatten_1")].count("dropout_1"),
        "lowest_input_after_mean": lowest_input,
        "split_sum": paper.N_TRAIN + paper.N_TUNING + paper.N_TEST,
        "softmax_demo_error": float(np.abs(softmax(np.array(scores)) - printed).max()),
        "paper_seconds_per_epoch": paper.TRAINING_SECONDS / paper.EPOCHS,
        "paper_accuracy": recomputed_accuracy(),
        "table_2_rows_equal_to_accuracy": sum(row == paper.ACCURACY for _, row in paper.TABLE_2),
        "table_2_rows_beyond_training_images": sum(n > paper.N_TRAIN for n, _ in paper.TABLE_2),
        "table_2_first_row_over_fashion_mnist": paper.TABLE_2[0][0] / paper.FASHION_MNIST_TRAIN,
        "table_2_exponent": law.exponent,
        "table_2_largest_misfit": float(np.abs(law.at(sizes) / (1 - precision) - 1).max()),
        "table_2_law_at_200000": at_200,
        "table_2_law_at_20000": at_20,
        "table_2_gains_that_shrink": int((np.diff(precision, n=2) < 0).sum()),
        "table_4_less_time_percent": shorter,
        "table_4_faster_percent": faster,
        "table_4_scan_seconds": scan,
        "table_4_rest_seconds": rest,
        "distance_inside_a_bucket": bucket_distance,
        "vgg16_last_pool_numbers": int(np.prod(vgg16_shape)),
        "vgg16_convolutions": n_convolutions,
    }
