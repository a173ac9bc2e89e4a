"""Pages for people: how good a model is, and what is in a data set, each one file of HTML.

The numbers are those of :mod:`skposter.metrics`, the pictures those of :mod:`skposter.display` and
:mod:`skposter.inspection`.
"""

from __future__ import annotations

from skposter._report.data_page import DataReport, data_report
from skposter._report.model_page import Report, report

__all__ = ["DataReport", "Report", "data_report", "report"]
