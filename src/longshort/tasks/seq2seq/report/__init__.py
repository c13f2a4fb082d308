from longshort.tasks.seq2seq.report.page import render

__all__ = ["render"]
