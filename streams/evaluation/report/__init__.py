"""The evaluation as a page: figures, plots and every fault on a line of time."""

from streams.evaluation.report.page import write_report

__all__ = ["write_report"]
