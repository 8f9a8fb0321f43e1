"""A notebook's place in the results: checked parameters, folders, figures, tables and metrics with provenance."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from fashion16_lib.data.vgg16_weights import WEIGHTS_SHA256
from fashion16_lib.evaluate.records import Value, in_words, metric, provenance, write_metrics
from fashion16_lib.report.small import figure_pdf, figure_png
from fashion16_lib.report.style import MUTED, use_style, wrapped
from fashion16_lib.settings import (
    DEEPFASHION,
    FASHION_MNIST,
    build_folder,
    check_parameters,
    chosen_profile,
    results_folder,
    run_name,
)

IN_WORDS = {       # the data sets as captions call them
    FASHION_MNIST: "Fashion-MNIST",
    "product-photos": "product photos",
    "street-photos": "street photos",
    "class-folder": "own photos",
    DEEPFASHION: "DeepFashion consumer-to-shop",
}


class Notebook:
    """Open a run of a numbered notebook.

    Parameters
    ----------
    name : "02-train-classifier"; its metrics file has that name
    names : the notebook's globals(); its UPPER_SNAKE names are its parameters, refused if unknown or illegal

    Attributes
    ----------
    profile : settings.Profile
    dataset, data_name : the data set, and how captions call it
    build : folder of artefacts (models, libraries)
    """

    def __init__(self, name: str, names: dict[str, Any]) -> None:
        parameters = {key: value for key, value in names.items() if re.fullmatch("[A-Z][A-Z0-9_]*", key)}
        check_parameters(parameters)
        self.name, self.parameters = name, parameters
        self.profile = chosen_profile(parameters["PROFILE"])
        run = run_name(self.profile.name, parameters.get("DATASET", FASHION_MNIST))
        self.dataset = DEEPFASHION if parameters.get("PAIRS_PATH") else parameters.get("DATASET", FASHION_MNIST)
        self.data_name = IN_WORDS[self.dataset]
        self.seed = parameters.get("SEED", 0)
        self.build, self.results = build_folder(run), results_folder(run)
        self.build.mkdir(parents=True, exist_ok=True)
        self._start = time.monotonic()
        use_style()

    def figure(self, figure: Figure, name: str, caption: str, data: pd.DataFrame, numbers_of: str = "") -> None:
        """Save a figure as PNG, PDF and the CSV behind it; profile, data and caption go under it.

        Parameters
        ----------
        caption : what was drawn, in one line
        data : every number in the figure, or the ids of the pictures shown
        numbers_of : whose numbers they are; "": the run's data
        """
        said = self._said(caption, numbers_of)
        figure.supxlabel(wrapped(said, figure.get_figwidth(), 7.5), fontsize=7.5, color=MUTED, x=0.01, ha="left")
        folder = self._folder("figures")
        words = {"Title": figure.get_suptitle().replace("\n", " ")}
        (folder / f"{name}.png").write_bytes(figure_png(figure, {**words, "Description": said}))
        (folder / f"{name}.pdf").write_bytes(figure_pdf(figure, {**words, "Subject": said}))
        data.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")

    def table(self, table: pd.DataFrame, name: str, caption: str) -> Any:
        """Save a table as CSV, Markdown and LaTeX with its caption; return it for display."""
        folder = self._folder("tables")
        said = self._said(caption)
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")
        (folder / f"{name}.md").write_text(f"{table.to_markdown(index=False)}\n\n{said}\n", encoding="utf-8")
        latex = table.to_latex(index=False, escape=True, float_format="%.4g", caption=_latex(said), label=f"tab:{name}")
        (folder / f"{name}.tex").write_text(latex, encoding="utf-8")
        return table.style.hide(axis="index").format(precision=4, thousands=",").set_caption(caption)

    def metrics(self, dataset_sha256: str, **values: Value) -> pd.DataFrame:
        """Write this notebook's metrics file; return its records as a table.

        Parameters
        ----------
        dataset_sha256 : of the images that the numbers were measured on
        values : metric name -> number or Estimate; the name tells the unit (records.unit_of)
        """
        records = [metric(name, value) for name, value in values.items()]
        about = provenance(
            self.profile.name,
            self.dataset,
            dataset_sha256,
            WEIGHTS_SHA256,
            self.seed,
            time.monotonic() - self._start,
        )
        write_metrics(self._folder("metrics") / f"{self.name}.json", about, records)
        numbers = [{key: in_words(record[key]) for key in ("value", "low", "high", "n")} for record in records]
        shown = pd.DataFrame([{"name": record["name"], **words, "unit": "" if record["unit"] in ("1", "count") else
                               record["unit"]} for record, words in zip(records, numbers, strict=True)])
        return shown.style.hide(axis="index")

    def _said(self, caption: str, numbers_of: str = "") -> str:
        return f"{caption}  ·  {numbers_of or self.data_name}, profile {self.profile.name}"

    def _folder(self, kind: str) -> Path:
        folder = self.results / kind
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _latex(text: str) -> str:
    """Return plain words as LaTeX takes them."""
    return re.sub(r"([&%$#_{}])", r"\\\1", text).replace("·", r"$\cdot$").replace("×", r"$\times$")
