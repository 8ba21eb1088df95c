"""The plain way in Faust: an agent, a RocksDB table of river models, a score per point.

`ingest_faust.py SETTINGS.json TOPIC POINTS`: prints one JSON object, as `ingest_stage.py` does.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import faust
import orjson
from river import anomaly

from streams.kafka.worker import STORE_OPTIONS, faust_app
from streams.settings import Settings

SKIP = 0.1


async def main() -> None:
    """Score all points, then leave."""
    settings = Settings(**json.loads(Path(sys.argv[1]).read_text()))  # noqa: ASYNC240 - nothing runs yet
    points = int(sys.argv[3])
    app = faust_app("peer", settings)
    models = app.Table(
        "models",
        partitions=1,
        key_type=bytes,
        value_type=bytes,
        options=dict(STORE_OPTIONS),
    )
    done = asyncio.Event()
    began: list[tuple[float, float]] = []
    found: dict[str, float] = {}
    taken = 0

    @app.agent(app.topic(sys.argv[2], value_serializer="raw", key_serializer="raw"))  # type: ignore[untyped-decorator]
    async def score(stream: faust.Stream[Any]) -> None:
        nonlocal taken
        async for value in stream:
            point = orjson.loads(value)
            series = f"{point['service']}/{point['instance']}/{point['metric']}".encode()
            kept = models.get(series)
            model = pickle.loads(kept) if kept else anomaly.GaussianScorer(window_size=None)  # noqa: S301 - our own
            model.score_one(None, point["value"])
            model.learn_one(None, point["value"])
            models[series] = pickle.dumps(model)
            taken += 1
            if taken == int(points * SKIP):
                began.append((time.perf_counter(), time.process_time()))
            if taken == points:
                wall_s, cpu_s = time.perf_counter() - began[0][0], time.process_time() - began[0][1]
                counted = points - int(points * SKIP)
                found.update(
                    points_per_s=counted / wall_s, cpu_us_per_point=cpu_s / counted * 1e6, wall_s=wall_s
                )
                done.set()

    app.finalize()
    await app.start()
    await done.wait()
    print(json.dumps(found), flush=True)
    os._exit(0)  # leaving Faust in order may take for ever, and is not what is measured


if __name__ == "__main__":
    asyncio.run(main())
