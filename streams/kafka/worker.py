"""A Faust worker without Faust's command line: built from our settings, run until told to stop.

What Faust is kept from here, and why (measured or read in faust-streaming 0.15.3):
values stay bytes (a decode error inside Faust ends an agent in silence); no standby replicas (recovering
nothing takes time); a store per worker (two would wait for each other's lock); small RocksDB caches (its
default is 2 GiB *per partition*); no web server (it serves table contents); `stream_wait_empty` off (one slow
record would hold up every rebalance).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from threading import Event
from typing import Any, Protocol

import faust
import structlog
from faust.types import TP

from streams.errors import ConfigError, FatalError
from streams.kafka.clients import MAX_MESSAGE_BYTES
from streams.serve import Health
from streams.settings import Settings

log = structlog.get_logger("headwater.worker")

STORE_OPTIONS = {
    "driver": "rocksdict",
    # A handful of large values per partition, each read once: there is nothing to cache.
    "block_cache_size": 8 << 20,
    "write_buffer_size": 8 << 20,
    "max_write_buffer_number": 2,
    "max_open_files": 64,
}
CHATTY = ("faust", "mode", "aiokafka", "kafka", __name__)
"""Loggers that tell every start and stop of every inner service; of interest when debugging only."""
LOOK_S = 0.2
"""How often the worker looks whether it is to stop."""
STOP_TIMEOUT_S = 8.0
"""Leaving the group in order takes under a second; a supervisor kills after ten."""


def faust_app(stage: str, settings: Settings) -> faust.App:
    """Return an app whose id, state and group are those of one stage."""
    if settings.log.level != "debug":
        for chatty in CHATTY:
            logging.getLogger(chatty).setLevel(logging.WARNING)
    kafka = settings.kafka
    name = f"{kafka.group_prefix}-{stage}"
    datadir = settings.state_dir / "faust" / name
    datadir.mkdir(parents=True, exist_ok=True)
    return faust.App(
        name,
        broker=[f"kafka://{address.strip()}" for address in kafka.bootstrap_servers.split(",")],
        broker_credentials=_credentials(kafka.client),
        broker_session_timeout=kafka.session_timeout_s,
        broker_heartbeat_interval=kafka.session_timeout_s / 5,
        broker_commit_interval=1.0,
        consumer_auto_offset_reset="earliest",
        datadir=str(datadir.absolute()),
        store="rocksdb://",
        table_standby_replicas=0,
        topic_partitions=kafka.domain_partitions,
        topic_replication_factor=kafka.replication_factor,
        topic_disable_leader=True,
        stream_wait_empty=False,
        producer_acks=-1,
        producer_linger=0.005,
        producer_max_request_size=MAX_MESSAGE_BYTES,
        key_serializer="raw",
        value_serializer="raw",
        web_enabled=False,
        autodiscover=False,
        # Never read the process' arguments: they are ours.
        agent_supervisor="mode.supervisors:CrashingSupervisor",
    )


def _credentials(client: dict[str, str]) -> Any:
    """Translate librdkafka's names, which the settings use, into what aiokafka wants."""
    protocol = client.get("security.protocol", "PLAINTEXT").upper()
    if protocol == "PLAINTEXT":
        return None
    context = ssl.create_default_context(cafile=client.get("ssl.ca.location"))
    if certificate := client.get("ssl.certificate.location"):
        context.load_cert_chain(certificate, client.get("ssl.key.location"), client.get("ssl.key.password"))
    if protocol == "SSL":
        return faust.SSLCredentials(context)
    mechanism = client.get("sasl.mechanism") or client.get("sasl.mechanisms") or "PLAIN"
    if mechanism not in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        raise ConfigError(
            f"kafka.client sasl.mechanism {mechanism!r} is not PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
        )
    return faust.SASLCredentials(
        mechanism=mechanism,
        username=client.get("sasl.username"),
        password=client.get("sasl.password"),
        ssl_context=context if protocol == "SASL_SSL" else None,
    )


class StateTable(faust.Table):  # type: ignore[misc]
    """Whole values by key, in RocksDB and on a changelog, written together and awaited.

    Faust's own `table[key] = value` sends the changelog record some time later and cannot be waited for; a
    commit of the source offset could then overtake it, and a restart elsewhere would miss the update.
    """

    def load(self, partition: int, key: bytes) -> bytes | None:
        """Return the value of a key on a partition that we own."""
        value: bytes | None = self.data._db_for_partition(partition).get(key)
        return value

    async def save(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write (or with None remove) a value; returns when the changelog has it."""
        sent = self.send_changelog(partition, key, value, key_serializer="raw", value_serializer="raw")
        store = self.data._db_for_partition(partition)
        if value is None:
            store.delete(key)
        else:
            store.put(key, value)
        await sent


def state_table(app: faust.App, name: str, partitions: int) -> StateTable:
    """Add a table to the app, with a changelog as wide as its source topic."""
    table = StateTable(
        app,
        name=name,
        partitions=partitions,
        key_type=bytes,
        value_type=bytes,
        options=dict(STORE_OPTIONS),
        extra_topic_configs={"max.message.bytes": str(MAX_MESSAGE_BYTES)},
    )
    app.tables.add(table)
    return table


class Stage(Protocol):
    """What a worker asks of the stage whose app it runs."""

    failure: BaseException | None
    """Why the stage cannot go on; None while it can."""

    async def turn(self) -> None:
        """Do what is due without a record: called several times a second."""

    async def finish(self) -> None:
        """Save and acknowledge everything, before the worker leaves its group."""


async def run_app(app: faust.App, stage: Stage, stop: Event, health: Health) -> None:
    """Run the app until told to stop.

    Raises
    ------
    FatalError
        The stage or Faust cannot go on: a restart continues from what is acknowledged.
    """

    async def settled(_app: object, **_: object) -> None:
        health.ready()

    async def unsettled(_app: object, _revoked: set[TP], **_: object) -> None:
        health.not_ready("partitions")

    app.on_rebalance_complete.connect(settled, weak=False)
    app.on_partitions_revoked.connect(unsettled, weak=False)
    health.not_ready("partitions")
    app.finalize()
    await app.start()
    try:
        while not stop.is_set():
            if stage.failure is not None:
                raise FatalError(str(stage.failure)) from stage.failure
            if app.should_stop or app.crashed:
                raise FatalError(f"the Faust worker ended: {app.crash_reason!r}")
            health.beat()
            await stage.turn()
            await asyncio.sleep(LOOK_S)
        await stage.finish()
        await app.consumer.commit()
    finally:
        try:
            await asyncio.wait_for(app.stop(), STOP_TIMEOUT_S)
        except TimeoutError:
            log.warning("faust did not stop in time", timeout_s=STOP_TIMEOUT_S)
