"""Reports: one self-contained HTML file each, from a few plain functions."""

from longshort.report.calibration import calibration
from longshort.report.comparison import comparison, named
from longshort.report.explorer import Above, Layer, explorer
from longshort.report.fan_chart import Outlook, fan_chart
from longshort.report.figures import DIVERGING, OURS, RIVALS, SEQUENTIAL, TRUTH, Spec, figure, plain, times, values
from longshort.report.gates import memory, timescales
from longshort.report.html import Html, definitions, details, el, escape, join, table
from longshort.report.marked import marked, visible
from longshort.report.page import Section, page
from longshort.report.settings import as_command, as_python, settings_section
from longshort.report.training import training_section

__all__ = [
    "DIVERGING",
    "OURS",
    "RIVALS",
    "SEQUENTIAL",
    "TRUTH",
    "Above",
    "Html",
    "Layer",
    "Outlook",
    "Section",
    "Spec",
    "as_command",
    "as_python",
    "calibration",
    "comparison",
    "definitions",
    "details",
    "el",
    "escape",
    "explorer",
    "fan_chart",
    "figure",
    "join",
    "marked",
    "memory",
    "named",
    "page",
    "plain",
    "settings_section",
    "table",
    "times",
    "timescales",
    "training_section",
    "values",
    "visible",
]
