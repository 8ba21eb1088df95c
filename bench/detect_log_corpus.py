# ruff: noqa: E501 - lines of logs are as long as lines of logs are
"""Labelled log lines in the shapes of nine real formats: which template each line was printed from is known.

The wording is our own; the shapes (separators, what varies, how it is quoted) are those of HDFS, nginx,
OpenSSH under syslog, Spring Boot, Kubernetes' klog, Go's logfmt, PostgreSQL, Kafka brokers and JSON lines.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

Fill = Callable[[random.Random], str]
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NAMES = ("alice", "bob", "carol", "dave", "erin", "svc-cart", "svc-pay", "root", "admin", "deploy")
WORDS = ("alpha", "bravo", "delta", "gamma", "omega", "sigma", "theta", "kappa", "lambda", "zeta")


def _hex(n: int) -> Fill:
    return lambda r: "".join(r.choice("0123456789abcdef") for _ in range(n))


def _list(item: Fill, most: int) -> Fill:
    return lambda r: ", ".join(item(r) for _ in range(r.randint(1, most)))


FILLS: dict[str, Fill] = {
    "int": lambda r: str(r.randint(0, 10 ** r.randint(1, 6))),
    "neg": lambda r: str(r.randint(-(10**18), 10**18)),
    "ms": lambda r: f"{r.uniform(0.1, 900):.{r.randint(0, 3)}f}ms",
    "float": lambda r: f"{r.uniform(0, 100):.3f}",
    "ip": lambda r: ".".join(str(r.randint(1, 254)) for _ in range(4)),
    "port": lambda r: str(r.randint(1024, 65535)),
    "user": lambda r: r.choice(NAMES),
    "word": lambda r: r.choice(WORDS),
    "uuid": lambda r: "-".join(_hex(k)(r) for k in (8, 4, 4, 4, 12)),
    "hash": lambda r: _hex(r.choice((7, 12, 40)))(r),
    "path": lambda r: (
        "/" + "/".join(r.choice(WORDS) for _ in range(r.randint(1, 4))) + r.choice(("", ".log", ".dat"))
    ),
    "url": lambda r: (
        f"/{r.choice(WORDS)}/{r.randint(1, 9999)}"
        + r.choice(("", f"?q={r.choice(WORDS)}&n={r.randint(1, 50)}"))
    ),
    "host": lambda r: f"{r.choice(WORDS)}-{r.randint(1, 40)}.prod.example.com",
    "pod": lambda r: f"{r.choice(WORDS)}-{_hex(9)(r)}-{_hex(5)(r)}",
    "size": lambda r: f"{r.randint(1, 900)}{r.choice(('B', 'KB', 'MB', 'GiB'))}",
    "status": lambda r: r.choice(("200", "201", "204", "301", "404", "500", "503")),
    "quoted": lambda r: '"' + " ".join(r.choice(WORDS) for _ in range(r.randint(1, 3))) + '"',
    "ints": _list(lambda r: str(r.randint(0, 99)), 6),
    "words": _list(lambda r: r.choice(WORDS), 5),
}

FORMATS: dict[str, tuple[str, tuple[str, ...]]] = {
    "hdfs": (
        "{date:%y%m%d %H%M%S} {int} INFO ",
        (
            "dfs.DataNode$Receiver: Receiving block blk_{neg} src: /{ip}:{port} dest: /{ip}:{port}",
            "dfs.DataNode$Responder: Responder {int} for block blk_{neg} terminating",
            "dfs.FSName: BLOCK* allocate: {path} blk_{neg}",
            "dfs.FSName: BLOCK* stored block map updated: {ip}:{port} is added to blk_{neg} size {int}",
            "dfs.DataNode$Receiver: Received block blk_{neg} of size {int} from /{ip}",
            "dfs.Scanner: Verification succeeded for blk_{neg}",
            "dfs.DataNode: Exception while serving blk_{neg} to /{ip}: Connection reset by peer",
            "dfs.FSName: BLOCK* delete: blk_{neg} is added to invalid set of {ip}:{port}",
            "dfs.DataNode: Deleting block blk_{neg} file {path}",
            "dfs.DataNode: Starting thread to transfer block blk_{neg} to {ip}:{port}, {ip}:{port}",
        ),
    ),
    "nginx": (
        "{date:%Y/%m/%d %H:%M:%S} [error] {int}#{int}: *{int} ",
        (
            'upstream timed out (110: Connection timed out) while reading header, client: {ip}, request: "GET {url} HTTP/1.1"',
            'open() "{path}" failed (2: No such file or directory), client: {ip}, server: {host}',
            "connect() failed (111: Connection refused) while connecting to upstream, client: {ip}, upstream: http://{ip}:{port}{url}",
            "no live upstreams while connecting to upstream, client: {ip}, host: {host}",
            "client intended to send too large body: {int} bytes, client: {ip}",
            "SSL_do_handshake() failed, client: {ip}, server: {ip}:{port}",
            "limiting requests, excess: {float} by zone {quoted}, client: {ip}",
            "recv() failed (104: Connection reset by peer), client: {ip}, upstream: http://{ip}:{port}{url}",
            "worker process {int} exited on signal {int}",
        ),
    ),
    "sshd": (
        "{date:%b %d %H:%M:%S} {host} sshd[{int}]: ",
        (
            "Accepted publickey for {user} from {ip} port {port} ssh2: RSA SHA256:{hash}",
            "Failed password for {user} from {ip} port {port} ssh2",
            "Failed password for invalid user {user} from {ip} port {port} ssh2",
            "Invalid user {user} from {ip}",
            "Received disconnect from {ip}: 11: disconnected by user",
            "pam_unix(sshd:session): session opened for user {user} by (uid={int})",
            "pam_unix(sshd:session): session closed for user {user}",
            "Connection closed by {ip} [preauth]",
            "error: maximum authentication attempts exceeded for {user} from {ip} port {port}",
            "reverse mapping checking getaddrinfo for {host} [{ip}] failed - POSSIBLE BREAK-IN ATTEMPT!",
        ),
    ),
    "spring": (
        "{date:%Y-%m-%d %H:%M:%S}.{int} INFO {int} --- [nio-8080-exec-{int}] ",
        (
            "c.s.OrderController : [create][Create order][orderId: {uuid}, items: [{words}]]",
            "c.s.OrderService : Order {uuid} accepted in {ms}",
            "c.s.OrderService : Order {uuid} rejected: stock of {word} is {int}",
            "c.s.PaymentClient : POST http://{host}:{port}{url} took {ms}",
            "c.s.PaymentClient : retry {int} of {int} for payment {uuid}",
            "o.h.e.SqlHelper : could not extract ResultSet, SQLState={int}",
            "c.z.h.HikariPool : HikariPool-{int} - Connection is not available, request timed out after {int}ms.",
            "c.z.h.HikariPool : HikariPool-{int} - Pool stats (total={int}, active={int}, idle={int}, waiting={int})",
            "c.s.CartCache : evicted {int} entries, kept [{ints}]",
            "c.s.Audit : user={user} action={word} result=Response(status={int}, data=[{ints}])",
        ),
    ),
    "klog": (
        "I{date:%m%d %H:%M:%S}.{int} {int} ",
        (
            'kubelet.go:{int}] "SyncLoop ADD" source="api" pods=["{pod}"]',
            'kubelet.go:{int}] "SyncLoop DELETE" source="api" pods=["{pod}"]',
            'reconciler.go:{int}] "operationExecutor.MountVolume started for volume {word}" pod="{pod}"',
            'scope.go:{int}] "RemoveContainer" containerID="{hash}"',
            'event.go:{int}] "Event occurred" object="{pod}" kind="Pod" reason="BackOff" message={quoted}',
            "garbagecollector.go:{int}] Deleting item {uuid} with propagation policy Background",
            "node_lifecycle.go:{int}] Node {host} is unresponsive as of {float}. Adding it to the Taint queue",
            "leaderelection.go:{int}] successfully renewed lease kube-system/{word}",
            "trace.go:{int}] Trace[{int}]: List etcd3 ({ms}) (total time: {ms})",
        ),
    ),
    "logfmt": (
        "ts={date:%Y-%m-%dT%H:%M:%S}Z caller={word}.go:{int} ",
        (
            'level=info component=tsdb msg="write block" mint={int} maxt={int} ulid={hash} duration={ms}',
            'level=info component=tsdb msg="head GC completed" duration={ms}',
            'level=warn component=rules msg="slow evaluation" group={word} duration={ms}',
            'level=error component=scrape msg="append failed" target=http://{ip}:{port}/metrics err="out of order sample"',
            'level=info component=web msg="request finished" method=GET path={url} status={status} took={ms}',
            'level=info component=cluster msg="peer joined" peer={hash} addr={ip}:{port}',
            'level=warn component=cluster msg="peer left" peer={hash} reason={word}',
            'level=debug component=notifier msg="queue length" length={int} capacity={int}',
        ),
    ),
    "postgres": (
        "{date:%Y-%m-%d %H:%M:%S}.{int} UTC [{int}] ",
        (
            "LOG:  connection received: host={ip} port={port}",
            "LOG:  connection authorized: user={user} database={word} application_name={word}",
            "LOG:  checkpoint complete: wrote {int} buffers ({float}%); write={float} s, sync={float} s",
            "LOG:  automatic vacuum of table {quoted}: index scans: {int}",
            "LOG:  duration: {float} ms  execute fetch: SELECT item FROM cart WHERE id = {int}",
            "ERROR:  deadlock detected at character {int}",
            "ERROR:  duplicate key value violates unique constraint {quoted}",
            "FATAL:  remaining connection slots are reserved for non-replication superuser connections",
            "LOG:  process {int} still waiting for ShareLock on transaction {int} after {float} ms",
            "LOG:  temporary file: path {path}, size {int}",
        ),
    ),
    "kafka": (
        "[{date:%Y-%m-%d %H:%M:%S},{int}] INFO ",
        (
            "[GroupCoordinator {int}]: Preparing to rebalance group {word} in state Stable with old generation {int}",
            "[GroupCoordinator {int}]: Member consumer-{uuid} in group {word} has failed, removing it from the group",
            "[Partition {word}-{int} broker={int}] Shrinking ISR from {ints} to {ints}. Leader: (highWatermark: {int}, endOffset: {int})",
            "[Partition {word}-{int} broker={int}] Expanding ISR from {ints} to {ints}",
            "[Log partition={word}-{int}, dir={path}] Rolled new log segment at offset {int} in {int} ms.",
            "[Log partition={word}-{int}, dir={path}] Deleting segment files LogSegment(baseOffset={int}, size={int})",
            "[Controller id={int}] Processing automatic preferred replica leader election",
            "[ReplicaFetcher replicaId={int}, leaderId={int}] Truncating partition {word}-{int} to local high watermark {int}",
        ),
    ),
    "json": (
        '{{"time":"{date:%Y-%m-%dT%H:%M:%S}Z","level":"info",',
        (
            '"msg":"request served","method":"GET","path":"{url}","status":{status},"ms":{float}}}',
            '"msg":"cache miss","key":"{word}:{int}","tier":{int}}}',
            '"msg":"payment declined","order":"{uuid}","reason":{quoted},"amount":{float}}}',
            '"msg":"consumer lag","topic":"{word}","partition":{int},"lag":{int}}}',
            '"msg":"circuit opened","upstream":"{host}","failures":{int}}}',
            '"msg":"circuit closed","upstream":"{host}"}}',
            '"msg":"job finished","job":"{word}","rows":{int},"seconds":{float}}}',
        ),
    ),
}


def lines(name: str, count: int, seed: int = 1) -> Iterator[tuple[str, int]]:
    """Yield (line, number of its template), templates by falling frequency, as in life."""
    r = random.Random(f"{name}{seed}")
    head, templates = FORMATS[name]
    weights = [1.0 / (k + 1) for k in range(len(templates))]
    for k in range(count):
        number = r.choices(range(len(templates)), weights)[0]
        date = START + timedelta(seconds=k * r.uniform(0.01, 2))
        yield _filled(head + templates[number], r, date), number


class _Fields(dict[str, object]):
    """Draws a new value at every mention of a field."""

    def __init__(self, r: random.Random, date: datetime) -> None:
        super().__init__(date=date)
        self._r = r

    def __missing__(self, key: str) -> str:
        return FILLS[key](self._r)


def _filled(template: str, r: random.Random, date: datetime) -> str:
    return template.format_map(_Fields(r, date))
