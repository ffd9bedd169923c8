"""Schema administration through simple-salesforce, kept on a leash."""

from __future__ import annotations

import pytest
import requests

from connectors.base import Severity, Written
from connectors.budget import Budget
from connectors.origin import Origin
from connectors.registry import KINDS, connector
from connectors.salesforce.diagnose import _unfitness
from connectors.salesforce.schema import _Session, metadata
from connectors.salesforce.shapes import Field, Option


@pytest.fixture
def sent(monkeypatch):
    """What would go out, instead of it going out."""
    requests_ = []

    def send(self, request, **kwargs):
        requests_.append((request, kwargs))
        response = requests.Response()
        response.status_code = 302
        response.headers["location"] = "https://evil.example/"
        response.url = request.url
        response.request = request
        response._content = b""
        return response

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", send)
    return requests_


def test_library_gets_deadlines_and_no_redirects(sent, monkeypatch, tmp_path):
    """It asks for neither; a credentials file of the machine does not replace the token."""
    (tmp_path / "netrc").write_text("machine acme.my.salesforce.com login someone password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with _Session(Origin("https://acme.my.salesforce.com")) as session:
        response = session.request("GET", "https://acme.my.salesforce.com/x", headers={"Authorization": "Bearer t"})

    assert response.status_code == 302
    assert sent[0][0].headers["Authorization"] == "Bearer t"
    assert len(sent) == 1
    assert sent[0][1]["timeout"] == (10.0, 60.0)


@pytest.mark.parametrize(
    "url", ["https://evil.example/x", "http://acme.my.salesforce.com/x", "https://acme.my.salesforce.com:8443/"]
)
def test_library_cannot_take_the_token_elsewhere(sent, url):
    """Whatever address it makes up."""
    with _Session(Origin("https://acme.my.salesforce.com")) as session, pytest.raises(requests.RequestException):
        session.request("GET", url)

    assert sent == []


def test_library_reaches_a_sandbox_on_this_machine_in_plain_http(sent):
    """It writes https into every address."""
    with _Session(Origin("http://127.0.0.1:8080")) as session:
        session.request("GET", "https://127.0.0.1:8080/x")

    assert sent[0][0].url == "http://127.0.0.1:8080/x"


@pytest.mark.parametrize(
    ("role", "type_"),
    [("stage", "Picklist"), ("score", "Number"), ("stage_at", "DateTime"), ("id", "Text"), ("extra", "Text")],
)
def test_created_field_has_the_type_that_its_role_needs(role, type_):
    """And an id is not unique, since the records of one person share it."""
    made = metadata("Canonical_X__c", role, ("mql", "sql") if role == "stage" else ())

    assert made["type"] == type_
    assert made["label"] == "Canonical X"
    assert made.get("unique", False) is False


@pytest.mark.parametrize(
    ("field", "role", "options", "problems"),
    [
        (Field(name="S__c", type="picklist", updateable=True), "stage", ("mql",), 0),
        (Field(name="S__c", type="string", length=80, updateable=True), "stage", ("mql",), 0),
        (Field(name="S__c", type="string", length=2, updateable=True), "stage", ("mql",), 1),
        (Field(name="S__c", type="double", updateable=True), "stage", ("mql",), 1),
        (Field(name="S__c", type="double", updateable=False), "score", (), 1),
        (
            Field(
                name="S__c",
                type="picklist",
                updateable=True,
                restricted_picklist=True,
                picklist_values=(Option(value="mql"), Option(value="sql", active=False)),
            ),
            "stage",
            ("mql", "sql"),
            1,
        ),
        (Field(name="S__c", type="datetime", updateable=False), "score", (), 2),
    ],
)
def test_field_that_cannot_carry_what_it_should_is_found(field, role, options, problems):
    """Type, permission, length and picklist, each on its own."""
    findings = list(_unfitness("check", field, Written(object="Lead", field="S__c", role=role, options=options)))

    assert [each.severity for each in findings] == [Severity.ERROR] * problems


def test_each_kind_of_system_has_a_factory_that_calls_nobody():
    """The registry's paths lead somewhere."""
    made = connector("salesforce")(
        system="crm",
        login_url="https://acme.my.salesforce.com",
        auth={"flow": "client_credentials", "client_id": "a", "client_secret": "b"},
        fields={"Lead": ["Email"]},
        budget=Budget(),
    )
    made.close()

    assert made.calls == 0
    assert set(KINDS) == {"salesforce", "hubspot", "rest"}
