"""The report of a transcriber, a file for each section."""

from longshort.tasks.transcribe.report.page import render

__all__ = ["render"]
