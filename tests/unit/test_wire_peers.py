"""Who is called, from what clients say; plug-in decoders."""

from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest

from streams.errors import ConfigError
from streams.wire.decoders import Decoder, Decoders
from streams.wire.decoders.peers import Peer, peer_of
from streams.wire.decoders.resource import identify, workload_of_pod

CART = identify({"service.name": "cart", "service.namespace": "shop"}, "default")
BARE = identify({"service.name": "cart"}, "default")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            {"service.peer.name": "auth", "peer.service": "old", "server.address": "x"},
            Peer("shop/auth", None),
        ),
        ({"service.peer.name": "auth", "service.peer.namespace": "id"}, Peer("id/auth", None)),
        ({"peer.service": "auth", "server.address": "x.y.z"}, Peer("shop/auth", None)),
        (
            {"messaging.system": "kafka", "messaging.destination.name": "orders", "server.address": "broker"},
            Peer("kafka:orders", "kafka"),
        ),
        ({"db.system.name": "redis", "server.address": "redis-main"}, Peer("shop/redis-main", "redis")),
        ({"db.system": "redis", "net.peer.name": "redis-main"}, Peer("shop/redis-main", "redis")),
        ({"server.address": "new", "net.peer.name": "old"}, Peer("shop/new", None)),
        (
            {"db.system": "redis", "server.address": "redis-main.cache.svc.cluster.local."},
            Peer("cache/redis-main", "redis"),
        ),
        (
            {"server.address": "db.us-west-2.rds.amazonaws.com"},
            Peer("db.us-west-2.rds.amazonaws.com", "external"),
        ),
        ({"network.peer.address": "10.1.2.3"}, Peer("10.1.2.3", None)),
        ({"db.system": "redis", "server.address": "localhost"}, Peer("shop/redis", "redis")),
        ({"db.system.name": "postgresql", "db.namespace": "orders"}, Peer("shop/orders", "postgresql")),
        ({"db.system": "postgresql", "db.name": "orders"}, Peer("shop/orders", "postgresql")),
        ({"db.system": "redis"}, Peer("shop/redis", "redis")),
        ({"server.address": "127.0.0.1"}, None),
        ({"http.route": "/x"}, None),
        ({}, None),
    ],
)
def test_the_order_in_which_a_peer_is_named(attributes, expected):
    assert peer_of(attributes, CART) == expected


LOOKED_UP = [
    ({"service.peer.name": "a"}, "shop/a"),
    ({"peer.service": "b"}, "shop/b"),
    ({"messaging.destination.name": "c"}, "redis:c"),
    ({"messaging.destination": "d"}, "redis:d"),
    ({"server.address": "e"}, "shop/e"),
    ({"net.peer.name": "f"}, "shop/f"),
    ({"network.peer.address": "10.0.0.7"}, "10.0.0.7"),
    ({"net.sock.peer.addr": "10.0.0.8"}, "10.0.0.8"),
    ({"db.namespace": "i"}, "shop/i"),
    ({"db.name": "j"}, "shop/j"),
]


@pytest.mark.parametrize("first", range(len(LOOKED_UP)))
def test_of_all_that_is_said_the_first_in_order_counts(first):
    said = {key: name for each, _ in reversed(LOOKED_UP[first:]) for key, name in each.items()}
    assert peer_of({"messaging.system": "redis", **said}, CART) == Peer(LOOKED_UP[first][1], "redis")


def test_a_database_needs_no_system_and_its_number_is_no_name():
    assert peer_of({"db.name": "orders"}, CART) == Peer("shop/orders", None)
    assert peer_of({"db.system.name": "redis", "db.namespace": "0"}, CART) == Peer("shop/redis", "redis")
    assert peer_of({"db.namespace": "0"}, CART) is None


def test_a_caller_without_a_namespace_gives_none_to_its_peers():
    assert peer_of({"server.address": "redis.cache.svc"}, BARE) == Peer("redis", None)
    assert peer_of({"server.address": "redis"}, BARE) == Peer("redis", None)


@pytest.mark.parametrize(
    ("attributes", "domain", "service", "instance"),
    [
        ({"deployment.environment.name": "a", "deployment.environment": "b"}, "a", "unknown_service", None),
        ({"deployment.environment": "b", "k8s.cluster.name": "c"}, "b", "unknown_service", None),
        ({"k8s.cluster.name": "c", "service.name": "x", "host.name": "h"}, "c", "x", "h"),
        ({"service.name": "x", "service.instance.id": "i", "k8s.pod.name": "p"}, "default", "x", "i"),
        ({"service.name": "unknown_service:java", "k8s.deployment.name": "cart"}, "default", "cart", None),
        ({"k8s.pod.name": "cart-579f59597d-wc2lz"}, "default", "cart", "cart-579f59597d-wc2lz"),
        ({"host.name": "node-1"}, "default", "node-1", "node-1"),
        ({"host.name": "node-1", "container.name": "redis"}, "default", "redis", "node-1"),
    ],
)
def test_an_entity_is_found_however_little_is_said(attributes, domain, service, instance):
    found = identify(attributes, "default")
    assert (found.domain, found.service, found.instance) == (domain, service, instance)


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("ts-travel2-service-5c66d57d58-6mp2b", "ts-travel2-service"),
        ("redis-main-0", "redis-main"),
        ("node-exporter-x7k2p", "node-exporter"),
        ("cart", "cart"),
        ("my-service", "my-service"),
        ("cart-v2", "cart-v2"),
    ],
)
def test_a_pods_workload(pod, workload):
    assert workload_of_pod(pod) == workload


PLUGGED = Decoder("telegraf", "Telegraf's JSON", lambda _record, _into: 7)
NOT_A_DECODER = "hello"


def test_a_decoder_can_be_plugged_in(monkeypatch):
    point = EntryPoint("telegraf", f"{__name__}:PLUGGED", "headwater.decoders")
    monkeypatch.setattr(EntryPoint, "load", lambda _self: PLUGGED)
    monkeypatch.setattr("streams.wire.decoders.table.entry_points", lambda group: [point])
    assert Decoders({"telegraf": "telegraf"}).table["telegraf"] is PLUGGED


def test_an_entry_point_that_is_no_decoder_is_named(monkeypatch):
    point = EntryPoint("broken", "x:y", "headwater.decoders")
    monkeypatch.setattr(EntryPoint, "load", lambda _self: NOT_A_DECODER)
    monkeypatch.setattr("streams.wire.decoders.table.entry_points", lambda group: [point])
    with pytest.raises(ConfigError, match=r"headwater\.decoders:broken"):
        Decoders()


def test_a_package_that_cannot_be_loaded_is_named(monkeypatch):
    point = EntryPoint("broken", "no_such_module:DECODER", "headwater.decoders")
    monkeypatch.setattr("streams.wire.decoders.table.entry_points", lambda group: [point])
    with pytest.raises(ConfigError, match=r":broken = no_such_module:DECODER cannot be loaded"):
        Decoders()


def test_a_package_does_not_take_the_place_of_a_decoder_in_silence(monkeypatch):
    point = EntryPoint("mine", "x:y", "headwater.decoders")
    monkeypatch.setattr(EntryPoint, "load", lambda _self: replace(PLUGGED, name="otlp_metrics"))
    monkeypatch.setattr("streams.wire.decoders.table.entry_points", lambda group: [point])
    with pytest.raises(ConfigError, match=r"mine: there is a decoder 'otlp_metrics' already"):
        Decoders()
