"""Runs a command with Apache Kafka around it: `with_kafka.py NODES -- COMMAND…`; returns its exit code.

The cluster is found by the settings' own variables, so every worker of a parallel test run shares it.
"""

import os
import signal
import subprocess
import sys

from streams.broker.apache import ApacheKafka
from streams.errors import HeadwaterError


def main() -> int:
    nodes, separator, *command = sys.argv[1:]
    assert separator == "--"
    # Leave by an exception on SIGTERM too, so that the cluster is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with ApacheKafka(int(nodes)) as kafka:
            found = {
                "HEADWATER_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
                "HEADWATER_KAFKA__REPLICATION_FACTOR": nodes,
            }
            return subprocess.run(command, env={**os.environ, **found}, check=False).returncode
    except HeadwaterError as error:
        print(f"with_kafka: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
