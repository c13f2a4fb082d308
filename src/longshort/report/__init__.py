"""Reports: one self-contained HTML file each, from a few plain functions."""

from longshort.report.calibration import calibration
from longshort.report.comparison import HIGHEST, LOWEST, Metric, comparison, listed, named, percent, winners
from longshort.report.fan_chart import Outlook, fan_chart
from longshort.report.figures import DIVERGING, OURS, RIVALS, SEQUENTIAL, TRUTH, Spec, figure, plain, times, values
from longshort.report.gates import gate_maps, memory
from longshort.report.html import Html, definitions, details, el, escape, join, number, numbers, table
from longshort.report.page import Section, page
from longshort.report.settings import settings_section
from longshort.report.training import training_section

__all__ = [
    "DIVERGING",
    "HIGHEST",
    "LOWEST",
    "OURS",
    "RIVALS",
    "SEQUENTIAL",
    "TRUTH",
    "Html",
    "Metric",
    "Outlook",
    "Section",
    "Spec",
    "calibration",
    "comparison",
    "definitions",
    "details",
    "el",
    "escape",
    "fan_chart",
    "figure",
    "gate_maps",
    "join",
    "listed",
    "memory",
    "named",
    "number",
    "numbers",
    "page",
    "percent",
    "plain",
    "settings_section",
    "table",
    "times",
    "training_section",
    "values",
    "winners",
]
