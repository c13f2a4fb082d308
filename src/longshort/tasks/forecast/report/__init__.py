"""The report of a forecaster: one page that says how good it is, shows it, and shows what goes on inside."""

from longshort.tasks.forecast.report.page import render

__all__ = ["render"]
