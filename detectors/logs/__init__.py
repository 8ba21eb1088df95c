"""From log lines to counts: templates, severities and what is new, as series of the same bank."""

from detectors.logs.logbook import Count, Line, LogBook
from detectors.logs.miner import Miner
from detectors.logs.severity import Severity, severity_of

__all__ = ["Count", "Line", "LogBook", "Miner", "Severity", "severity_of"]
