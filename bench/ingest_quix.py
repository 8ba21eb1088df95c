"""The plain way in quixstreams: its state store holds the river models, a score per point.

`ingest_quix.py SERVERS TOPIC POINTS STATE_DIR`: prints one JSON object. It runs in an environment of its own:
quixstreams wants older confluent-kafka and pydantic than headwater.
"""

import base64
import json
import pickle
import sys
import time

from quixstreams import Application
from river import anomaly

SKIP = 0.1


def main() -> None:
    """Score all points, then stop."""
    servers, topic_name, points, state_dir = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    app = Application(
        broker_address=servers,
        consumer_group="peer-quix",
        auto_offset_reset="earliest",
        state_dir=state_dir,
        loglevel="ERROR",
        commit_interval=10.0,
    )
    topic = app.topic(topic_name, value_deserializer="json", key_deserializer="bytes")
    frame = app.dataframe(topic)
    taken = 0
    began = (0.0, 0.0)

    def score(point: dict, state) -> dict:
        nonlocal taken, began
        series = f"{point['instance']}/{point['metric']}"
        kept = base64.b64decode(state.get(series) or "")
        model = pickle.loads(kept) if kept else anomaly.GaussianScorer(window_size=None)  # noqa: S301 - our own
        model.score_one(None, point["value"])
        model.learn_one(None, point["value"])
        state.set(series, base64.b64encode(pickle.dumps(model)).decode())
        taken += 1
        if taken == int(points * SKIP):
            began = (time.perf_counter(), time.process_time())
        if taken == points:
            counted = points - int(points * SKIP)
            wall_s, cpu_s = time.perf_counter() - began[0], time.process_time() - began[1]
            found = {
                "points_per_s": counted / wall_s,
                "cpu_us_per_point": cpu_s / counted * 1e6,
                "wall_s": wall_s,
            }
            print(json.dumps(found), flush=True)
            app.stop()
        return point

    frame.update(score, stateful=True)
    app.run()


if __name__ == "__main__":
    main()
