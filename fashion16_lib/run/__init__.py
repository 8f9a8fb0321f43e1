"""Run the notebooks: papermill behind a strict wrapper, resumed by content, with the time left."""

from .book import REQUIREMENTS, RunSummary, run_book, run_notebooks
from .monitor import Monitor, seconds_left
from .publish import publish, without_machine_paths

__all__ = ["REQUIREMENTS", "Monitor", "RunSummary", "publish", "run_book", "run_notebooks", "seconds_left",
           "without_machine_paths"]
