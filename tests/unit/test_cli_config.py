import json

import pytest
from pydantic import BaseModel

from streams.cli.app import main
from streams.settings import Settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    import os

    for name in os.environ:
        if name.startswith("HEADWATER_"):
            monkeypatch.delenv(name)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main(["config", *arguments])
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


def printed(capsys, *arguments):
    code, out, _ = run(capsys, "--json", *arguments)
    assert code == 0
    return {one["setting"]: one for one in json.loads(out)}


def leaves(model, path=""):
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def test_every_setting_is_printed_with_its_variable_and_a_reason(capsys):
    found = printed(capsys)
    assert set(found) == set(leaves(Settings))
    assert found["kafka.bootstrap_servers"]["variable"] == "HEADWATER_KAFKA__BOOTSTRAP_SERVERS"
    assert [name for name, one in found.items() if not one["why"]] == []
    assert not any(one["changed"] for one in found.values())


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(capsys, monkeypatch, tmp_path):
    file = tmp_path / "headwater.yaml"
    file.write_text("serve:\n  port: 9000\n  host: 0.0.0.0\n")
    monkeypatch.setenv("HEADWATER_SERVE__PORT", "9001")
    found = printed(capsys, "--config", str(file))
    assert (found["serve.port"]["value"], found["serve.port"]["default"]) == (9001, 8080)
    assert (found["serve.host"]["value"], found["serve.host"]["changed"]) == ("0.0.0.0", True)  # noqa: S104


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_secret_is_printed(capsys, monkeypatch, form):
    monkeypatch.setenv("HEADWATER_REASON__API_KEY", "sk-hidden")
    monkeypatch.setenv("HEADWATER_KAFKA__CLIENT", '{"sasl.password": "hidden-too", "ssl.key.pem": "hidden3"}')
    monkeypatch.setenv("HEADWATER_REASON__BASE_URL", "https://me:hidden4@models.example/v1")
    code, out, err = run(capsys, *form)
    assert code == 0
    assert "hidden" not in out + err
    assert "sasl.password" in out
    assert "models.example" in out


def test_an_unset_secret_is_told_from_a_set_one(capsys, monkeypatch):
    assert printed(capsys)["reason.api_key"]["value"] == ""
    monkeypatch.setenv("HEADWATER_REASON__API_KEY", "x")
    assert printed(capsys)["reason.api_key"]["value"] == "********"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("HEADWATER_SERVE__PORT", "eighty", "setting serve.port (HEADWATER_SERVE__PORT)"),
        ("HEADWATER_KAFKA__CLIENT", "{hunter2", "HEADWATER_KAFKA__CLIENT: expected a JSON object"),
        ("HEADWATER_KAFKA", "hunter2", "HEADWATER_KAFKA: expected a JSON object"),
        ("HEADWATER_SERVE__PROT", "80", "there is no setting serve.prot; did you mean serve.port"),
        ("HEADWATER_SERVE_PORT", "80", "did you mean HEADWATER_SERVE__PORT?"),
        ("HEADWATER_STATEDIR", "x", "did you mean HEADWATER_STATE_DIR?"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(capsys, monkeypatch, name, value, says):
    monkeypatch.setenv(name, value)
    code, out, err = run(capsys)
    assert (code, out) == (2, "")
    assert says in err
    assert "hunter2" not in err
    assert len(err.strip().splitlines()) == 1


def test_what_kubernetes_sets_for_a_service_called_headwater_is_left_alone(capsys, monkeypatch):
    for name in ("HEADWATER_SERVICE_HOST", "HEADWATER_SERVICE_PORT", "HEADWATER_PORT_8080_TCP"):
        monkeypatch.setenv(name, "tcp://10.0.0.1:8080")
    assert not any(one["changed"] for one in printed(capsys).values())


@pytest.mark.parametrize("content", [b"\x80\x81", b"a: [", b"[1, 2]", b"words", b"12", b"1: 2"])
def test_a_file_that_is_no_mapping_is_one_line(capsys, tmp_path, content):
    file = tmp_path / "headwater.yaml"
    file.write_bytes(content)
    code, out, err = run(capsys, "--config", str(file))
    assert (code, out) == (2, "")
    assert err.startswith(f"headwater: configuration file {file}: ")
    assert len(err.strip().splitlines()) == 1


def test_an_empty_file_changes_nothing(capsys, tmp_path):
    (tmp_path / "headwater.yaml").write_text("")
    assert not any(
        one["changed"] for one in printed(capsys, "--config", f"{tmp_path}/headwater.yaml").values()
    )


def test_a_missing_file_is_one_line(capsys):
    code, _, err = run(capsys, "--config", "nowhere.yaml")
    assert code == 2
    assert "nowhere.yaml does not exist" in err
