from longshort.data.files import read_table
from longshort.data.frequency import Frequency
from longshort.data.panel import Columns, Panel, Series
from longshort.data.reading import read_future, read_panel
from longshort.data.seasons import find_seasons

__all__ = ["Columns", "Frequency", "Panel", "Series", "find_seasons", "read_future", "read_panel", "read_table"]
