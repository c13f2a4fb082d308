from longshort.tasks.compose.report.page import render

__all__ = ["render"]
