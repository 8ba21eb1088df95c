"""`headwater topology` on files, from a person's side."""

import json

import pytest
import yaml

from streams.cli import main

DECLARED = """
domain: shop
edges:
  - {caller: web, callee: cart}
  - {caller: web, callee: old}
  - {caller: cart, callee: redis, kind: redis, schedule: except tue 02:00-04:00}
"""
TUESDAY_0342 = "2026-09-15T03:42"
TUESDAY_0342_MS = 1_789_443_720_000


def seen(caller, callee, source, at_ms=TUESDAY_0342_MS):
    return json.dumps(
        {
            "caller": caller,
            "callee": callee,
            "source": source,
            "first_seen_ms": at_ms,
            "last_seen_ms": at_ms,
        }
    )


@pytest.fixture
def files(tmp_path):
    (tmp_path / "declared.yaml").write_text(DECLARED)
    lines = [
        seen("web", "cart", "span"),
        seen("cart", "redis", "client_metric"),
        seen("web", "10.0.0.7", "flow"),
        seen("web", "mail", "span"),
    ]
    (tmp_path / "seen.jsonl").write_text("\n".join(lines))
    return tmp_path


@pytest.fixture
def topology(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["topology", *map(str, arguments)])
        return ended.value.code or 0, capsys.readouterr()

    return run


def rows(said):
    return {(row["caller"], row["callee"]): row for row in json.loads(said.out)}


def test_edges_are_shown_with_who_says_so_and_how_far_they_are_believed(files, topology):
    code, said = topology("show", "--from", files / "declared.yaml", "--from", files / "seen.jsonl", "--json")
    found = rows(said)
    assert code == 0
    assert found["web", "cart"]["sources"] == ["declared", "span"]
    assert found["web", "cart"]["belief"] > found["web", "old"]["belief"] == 0.9
    assert not found["web", "mail"]["declared"]


def test_an_address_seen_for_a_moment_draws_no_edge(files, topology):
    _, said = topology("show", "web", "--from", files / "seen.jsonl", "--json")
    assert ("web", "10.0.0.7") not in rows(said)


def test_a_schedule_decides_what_is_shown_as_of_a_time(files, topology):
    _, during = topology("show", "redis", "--from", files / "declared.yaml", "--at", TUESDAY_0342, "--json")
    _, later = topology(
        "show", "redis", "--from", files / "declared.yaml", "--at", "2026-09-15T04:00", "--json"
    )
    assert rows(during) == {}
    assert rows(later)["cart", "redis"]["kind"] == "redis"


def test_what_was_believed_is_not_what_is_known_now(tmp_path, topology):
    hour_ms = 3_600_000
    told = {"caller": "web", "callee": "db", "source": "declared"}
    first = told | {"first_seen_ms": TUESDAY_0342_MS, "last_seen_ms": TUESDAY_0342_MS}
    moved_ms = TUESDAY_0342_MS + 5 * hour_ms
    second = first | {"last_seen_ms": moved_ms, "valid_to": TUESDAY_0342}
    (tmp_path / "told.jsonl").write_text(f"{json.dumps(first)}\n{json.dumps(second)}")
    ask = ("show", "--from", tmp_path / "told.jsonl", "--at", "2026-09-15T04:00", "--json")
    assert rows(topology(*ask)[1]) == {}
    assert ("web", "db") in rows(topology(*ask, "--believed", "2026-09-15T04:00")[1])


def test_each_kind_of_disagreement_is_listed_once(files, topology):
    _, said = topology(
        "conflicts", "--from", files / "declared.yaml", "--from", files / "seen.jsonl", "--json"
    )
    found = sorted((row["kind"], row["caller"], row["callee"]) for row in json.loads(said.out))
    assert found == [
        ("outside_schedule", "cart", "redis"),
        ("unconfirmed_flow", "web", "10.0.0.7"),
        ("undeclared", "web", "mail"),
        ("unobserved", "web", "old"),
    ]


def test_a_difference_is_printed_and_told_by_the_exit_code(files, topology):
    changed = DECLARED.replace("callee: old", "callee: pay").replace("02:00-04:00", "02:00-05:00")
    (files / "after.yaml").write_text(changed)
    code, said = topology("diff", files / "declared.yaml", files / "after.yaml")
    assert (code, said.out.splitlines()) == (1, ["+ web → pay", "- web → old", "~ cart → redis"])
    assert topology("diff", files / "declared.yaml", files / "declared.yaml")[0] == 0


def test_what_is_exported_reads_back_as_the_same_edges_and_domain(files, topology):
    _, said = topology("export", "--from", files / "declared.yaml")
    (files / "again.yaml").write_text(said.out)
    assert yaml.safe_load(said.out)["domain"] == "shop"
    assert topology("diff", files / "declared.yaml", files / "again.yaml")[0] == 0


def test_observed_edges_are_exported_only_when_asked_for(files, topology):
    both = ("--from", files / "declared.yaml", "--from", files / "seen.jsonl")
    names = [
        {e["callee"] for e in yaml.safe_load(topology("export", *both, *more)[1].out)["edges"]}
        for more in ((), ("--observed",))
    ]
    assert "mail" not in names[0]
    assert "mail" in names[1]


def test_backstage_entities_read_back_as_the_same_calls(files, topology):
    _, said = topology("export", "--from", files / "declared.yaml", "--format", "backstage")
    (files / "catalog-info.yaml").write_text(said.out)
    _, again = topology("show", "--from", files / "catalog-info.yaml", "--json")
    assert set(rows(again)) == {("web", "cart"), ("web", "old"), ("cart", "redis")}


WEBSITE = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: edge}
spec: {type: service, dependsOn: [component:shopfront]}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: shopfront}
spec: {type: website, dependsOn: [resource:sessions]}
---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata: {name: sessions}
spec: {type: redis}
"""


def test_a_component_of_backstage_is_a_service_whatever_its_type(files, topology):
    (files / "website.yaml").write_text(WEBSITE)
    _, said = topology("export", "--from", files / "website.yaml", "--format", "backstage")
    kinds = {e["metadata"]["name"]: (e["kind"], e["spec"]["type"]) for e in yaml.safe_load_all(said.out)}
    assert kinds["shopfront"] == ("Component", "service")
    assert kinds["sessions"] == ("Resource", "redis")


def test_a_dry_import_checks_and_publishes_nothing(files, topology):
    code, said = topology("import", files / "declared.yaml", "--dry-run")
    assert code == 0
    assert "3 edges, nothing wrong" in said.out


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("edges: [{caller: web}]", "edge 1: callee"),
        ("edges: [{caller: web, callee: db, schedule: sometimes}]", "schedule 'sometimes'"),
        ("services: {}", "expected `edges:`"),
        ("{", "neither YAML nor JSON"),
        ("edges: [{caller: web, callee: db, valid_from: soon}]", "'soon' is neither"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_the_edge(tmp_path, topology, text, named):
    (tmp_path / "wrong.yaml").write_text(text)
    code, said = topology("import", tmp_path / "wrong.yaml", "--dry-run")
    assert code == 2
    assert named in said.err
    assert said.err.count("\n") == 1


def test_files_of_two_domains_ask_for_one(files, topology):
    (files / "other.yaml").write_text(DECLARED.replace("shop", "lab"))
    both = ("--from", files / "declared.yaml", "--from", files / "other.yaml")
    code, said = topology("show", *both)
    assert code == 2
    assert "lab, shop" in said.err
    assert topology("show", *both, "--domain", "lab")[0] == 0


def test_a_service_that_nobody_names_is_a_persons_mistake(files, topology):
    code, said = topology("show", "nobody", "--from", files / "declared.yaml")
    assert (code, said.err) == (2, "headwater: no source names a service 'nobody'\n")
