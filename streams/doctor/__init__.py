"""Looking for faults of the set-up: what is wrong, where, and what to do about it."""

from streams.doctor.examine import examine
from streams.doctor.finding import Finding

__all__ = ["Finding", "examine"]
