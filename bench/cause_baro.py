"""BARO's and N-Sigma's scorers: tables on standard input, ranked columns on standard output.

Runs in an environment of its own, see `cause_told.py`. Reads one JSON array of what `cause_table.py` makes,
where `time` counts intervals from the start of the fault. Prints a JSON array as long: scorer → columns,
the most suspicious first.
"""

import json
import sys

import pandas as pd
from baro.root_cause_analysis import nsigma, robust_scorer

SCORERS = {"baro": robust_scorer, "nsigma": nsigma}


def ranked(table: dict) -> dict[str, list[str]]:
    frame = pd.DataFrame(table["values"], columns=table["columns"], dtype=float)
    frame.insert(0, "time", table["time"])
    # Gaps are filled as BARO's own reading of its data does (`baro.utility.read_data`).
    frame = frame.ffill().fillna(0)
    if not (frame["time"] < 0).any() or not (frame["time"] >= 0).any():
        return {name: [] for name in SCORERS}  # they divide by what is not there
    return {name: list(scorer(frame, inject_time=0)["ranks"]) for name, scorer in SCORERS.items()}


if __name__ == "__main__":
    print(json.dumps([ranked(table) for table in json.load(sys.stdin)]))
