"""The one transport: deadlines, tries, pinning, lost answers."""

from __future__ import annotations

import gzip
import logging
import socket
from threading import Event as ThreadEvent
from threading import Thread

import httpx
import msgspec
import pytest

from connectors import answers
from connectors.auth import Refused, Secret, TokenAuth, bearer
from connectors.budget import Budget
from connectors.http import Deadlines, LostAnswer, Patience, Transport, _proxy_to
from connectors.origin import Origin
from mapping.errors import SystemDown

ORIGIN = "https://acme.example"


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 1000.0
        self.naps = []

    def sleep(self, seconds):
        """Let time pass."""
        self.naps.append(seconds)
        self.now += seconds

    def clock(self):
        """Monotonic seconds."""
        return self.now


class Wire:
    """A network that gives prepared answers, the last one again and again, and keeps what was asked."""

    def __init__(self, *answers_):
        self.answers = list(answers_)
        self.requests = []

    def __call__(self, request):
        """Answer one request."""
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer


def ok(body=b'{"a":1}', **headers):
    """A good answer."""
    return lambda: httpx.Response(200, content=body, headers=headers)


def status(code, body=b'{"a":1}', **headers):
    """An answer with a status."""
    return lambda: httpx.Response(code, content=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def transport(network, time=None, **more):
    """A transport on that network and clock."""
    time = time or Time()
    settings = {
        "system": "crm",
        "origin": ORIGIN,
        "auth": bearer("crm", Secret("s3cret")),
        "classify": answers.by_status,
        "budget": Budget(),
        "sleep": time.sleep,
        "clock": time.clock,
        "wire": httpx.MockTransport(network),
    }
    return Transport(**{**settings, **more})


def test_answer_is_whole_and_counted_by_method_and_label():
    """A good answer comes back with its body, and is one call under its label."""
    wire = Wire(ok(date="Sat, 21 Nov 2026 10:00:00 GMT"))
    http = transport(wire)

    answer = http.request("GET", "/things/1", label="/things/{id}", params={"q": "a+b c"})

    assert answer.content == b'{"a":1}'
    assert answer.server_date.isoformat() == "2026-11-21T10:00:00+00:00"
    assert http.calls == 1
    assert http.calls_by == {"GET /things/{id}": 1}
    assert wire.requests[0].url.params["q"] == "a+b c"
    assert wire.requests[0].headers["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/page2",
        "http://acme.example/page2",
        "https://acme.example:8443/page2",
        "https://user:pw@acme.example/page2",
        "https://acme.example@evil.example/page2",
        "https://acme.example.evil.example/",
        "//evil.example/page2",
        "\\\\evil.example\\page2",
        "page2",
        "file:///etc/passwd",
        "",
    ],
)
def test_token_never_travels_to_another_origin(address):
    """A paging link to anywhere else is refused before anything is sent."""
    wire = Wire(ok())
    http = transport(wire)

    with pytest.raises(SystemDown) as caught:
        http.request("GET", address, label="/next")

    assert wire.requests == []
    assert "evil" not in str(caught.value)


def test_link_to_the_same_origin_is_followed_with_the_default_port_spelt_out():
    """The port 443 of https is the same origin whether it is written or not."""
    wire = Wire(ok())

    transport(wire).request("GET", "https://ACME.example:443/page2", label="/next")

    assert len(wire.requests) == 1


def test_paths_stand_behind_the_path_of_the_origin():
    """A base address with a path keeps it."""
    wire = Wire(ok())

    transport(wire, origin="https://acme.example/api/").request("GET", "/x", label="/x")

    assert str(wire.requests[0].url) == "https://acme.example/api/x"


def test_redirect_is_not_followed():
    """A redirect is an error at once, and nothing is sent to its target."""
    wire = Wire(lambda: httpx.Response(302, headers={"location": "https://evil.example/"}))

    with pytest.raises(SystemDown, match="redirect"):
        transport(wire).request("GET", "/x", label="/x")

    assert len(wire.requests) == 1


@pytest.mark.parametrize("origin", ["http://acme.example", "https://u:p@acme.example", "ftp://acme.example", "acme"])
def test_origin_in_plain_http_or_with_a_password_is_refused(origin):
    """Only https, or http on this machine."""
    with pytest.raises(SystemDown):
        transport(Wire(ok()), origin=origin)


def test_plain_http_to_this_machine_is_accepted():
    """The sandbox listens on loopback."""
    wire = Wire(ok())

    transport(wire, origin="http://127.0.0.1:8080").request("GET", "/x", label="/x")

    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        status(503),
        status(500, b""),
        status(200, b"<html>sorry</html>"),
        status(200, b""),
        status(403, b"<h1>Bad Message 431</h1>"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("gone"),
        httpx.ConnectError("refused"),
    ],
)
def test_outage_is_tried_again_and_then_survived(trouble):
    """One outage costs one more try."""
    wire = Wire(trouble, ok())
    time = Time()

    answer = transport(wire, time).request("GET", "/x", label="/x")

    assert answer.is_ok
    assert len(wire.requests) == 2
    assert len(time.naps) == 1


@pytest.mark.parametrize(
    "trouble", [status(503), status(200, b"<html></html>"), status(200, b""), httpx.ReadError("x")]
)
def test_lasting_outage_ends_in_system_down_after_a_bounded_number_of_tries(trouble):
    """Five tries, then the system is down; the message has the status and no body."""
    wire = Wire(trouble)

    with pytest.raises(SystemDown) as caught:
        transport(wire).request("GET", "/x", label="/x")

    assert len(wire.requests) == 5
    assert "html" not in str(caught.value)
    assert caught.value.system == "crm"
    assert caught.value.hint is not None


def test_truncated_json_is_an_outage_though_it_ends_in_a_brace():
    """What `decode` cannot read is tried again."""
    wire = Wire(ok(b'{"records":[{"Id":"1"}'), ok(b'{"records":[]}'))

    answer = transport(wire).request("GET", "/x", label="/x", decode=msgspec.json.decode)

    assert answer.value == {"records": []}
    assert len(wire.requests) == 2


def test_truncated_gzip_is_an_outage():
    """Half of a compressed page is no page."""
    whole = gzip.compress(b'{"records":[' + b",".join(b'{"Id":"%d"}' % n for n in range(500)) + b"]}")
    wire = Wire(
        status(200, whole[: len(whole) // 2], content_encoding="gzip"), status(200, whole, content_encoding="gzip")
    )

    answer = transport(wire).request("GET", "/x", label="/x", decode=msgspec.json.decode)

    assert len(answer.value["records"]) == 500
    assert len(wire.requests) == 2


@pytest.mark.parametrize("retry_after", ["7", "Sat, 21 Nov 2026 10:00:07 GMT"])
def test_retry_after_is_honoured_in_seconds_and_as_a_date(retry_after):
    """A throttled request waits at least as long as it is asked to, also when sent by POST."""
    wire = Wire(status(429, retry_after=retry_after, date="Sat, 21 Nov 2026 10:00:00 GMT"), ok())
    time = Time()

    transport(wire, time).request("POST", "/x", label="/x", json={"a": 1})

    assert sum(time.naps) >= 7
    assert len(wire.requests) == 2
    assert wire.requests[0].content == wire.requests[1].content == b'{"a":1}'


def test_wait_beyond_patience_is_system_down_without_sleeping():
    """A vendor that asks for an hour is down for now."""
    wire = Wire(status(429, retry_after="3600"))
    time = Time()

    with pytest.raises(SystemDown, match="3600 s"):
        transport(wire, time).request("GET", "/x", label="/x")

    assert time.naps == []


@pytest.mark.parametrize(
    "trouble",
    [httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x"), httpx.WriteError("x"), status(502), ok(b"<html>")],
)
def test_write_whose_answer_was_lost_is_not_sent_twice(trouble):
    """It may have been carried out."""
    wire = Wire(trouble)

    with pytest.raises(LostAnswer):
        transport(wire).request("PATCH", "/x", label="/x", json={"a": 1})

    assert len(wire.requests) == 1


def test_write_that_was_never_sent_is_tried_again():
    """No connection means no harm."""
    wire = Wire(httpx.ConnectTimeout("x"), ok())

    transport(wire).request("PATCH", "/x", label="/x", json={"a": 1})

    assert len(wire.requests) == 2


def test_rejection_goes_to_the_caller():
    """A 404 in JSON is an answer."""
    wire = Wire(status(404, b'[{"errorCode":"NOT_FOUND"}]'))

    answer = transport(wire).request("GET", "/x", label="/x")

    assert answer.status == 404
    assert len(wire.requests) == 1


def test_slow_trickle_ends_at_the_total_deadline():
    """Bytes that keep coming do not keep the request alive for ever."""
    time = Time()

    class Trickle(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                time.now += 20
                yield b" "

    wire = Wire(lambda: httpx.Response(200, stream=Trickle()))
    http = transport(wire, time, deadlines=Deadlines(total_s=60), patience=Patience(tries=2))

    with pytest.raises(SystemDown, match="too long"):
        http.request("GET", "/x", label="/x")

    assert len(wire.requests) == 2


def test_same_headers_are_sent_after_a_token_refresh():
    """Only the token differs between the rejected request and its replay."""
    tokens = iter(["old", "new"])
    wire = Wire(status(401), ok())
    http = transport(wire, auth=TokenAuth("crm", lambda: next(tokens)))

    http.request("PATCH", "/x", label="/x", json={"a": 1}, headers={"Sforce-Auto-Assign": "FALSE"})

    first, second = wire.requests
    assert (first.headers["authorization"], second.headers["authorization"]) == ("Bearer old", "Bearer new")
    assert first.headers["sforce-auto-assign"] == second.headers["sforce-auto-assign"] == "FALSE"
    assert first.content == second.content


def test_persistent_rejection_stops_after_three_logins_and_stays_stopped():
    """A vendor that rejects fresh tokens is not asked for ever."""
    logins = []
    wire = Wire(status(401))
    http = transport(wire, auth=TokenAuth("crm", lambda: logins.append(1) or f"t{len(logins)}"))

    for _ in range(5):
        with pytest.raises(Refused):
            http.request("GET", "/x", label="/x")

    assert len(logins) == 3


def test_accepted_request_in_between_allows_further_logins():
    """Tokens that expire over weeks are no failure."""
    logins = []
    wire = Wire(*[status(401), ok()] * 10)
    http = transport(wire, auth=TokenAuth("crm", lambda: logins.append(1) or f"t{len(logins)}"))

    for _ in range(10):
        http.request("GET", "/x", label="/x")

    assert len(logins) == 11


def test_fixed_token_is_rejected_once_and_for_all():
    """A service key is not offered twice."""
    wire = Wire(status(401))
    http = transport(wire)

    for _ in range(3):
        with pytest.raises(Refused):
            http.request("GET", "/x", label="/x")

    assert len(wire.requests) == 1


def test_key_that_was_replaced_since_is_offered():
    """Whoever puts a new key into the file need not start the daemon again."""
    keys = ["old"]
    wire = Wire(status(401), ok())
    http = transport(wire, auth=bearer("crm", Secret(lambda: keys[-1])))
    with pytest.raises(Refused):
        http.request("GET", "/x", label="/x")

    keys.append("new")
    http.request("GET", "/x", label="/x")

    assert [each.headers["authorization"] for each in wire.requests] == ["Bearer old", "Bearer new"]


def test_rejected_token_is_not_offered_once_logins_were_given_up():
    """Nor does the one error grow with every call that it ends."""
    wire = Wire(status(401))
    http = transport(wire, auth=TokenAuth("crm", lambda: "t"))
    with pytest.raises(Refused):
        http.request("GET", "/x", label="/x")
    sent = len(wire.requests)
    depths = set()

    for _ in range(3):
        with pytest.raises(Refused) as caught:
            http.request("GET", "/x", label="/x")
        depths.add(len(caught.traceback))

    assert len(wire.requests) == sent
    assert len(depths) == 1


def test_eight_threads_with_a_stale_token_log_in_once():
    """The refresh is single flight."""
    logins = []
    auth = TokenAuth("crm", lambda: logins.append(1) or f"t{len(logins)}")
    auth.headers()

    threads = [Thread(target=auth.refresh, args=("Bearer t1",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(logins) == 2
    assert auth.headers() == {"Authorization": "Bearer t2"}


def test_login_out_of_reach_is_not_counted_as_refused():
    """An outage of the login address does not latch."""

    def login():
        raise SystemDown("crm")

    auth = TokenAuth("crm", login)

    for _ in range(5):
        with pytest.raises(SystemDown) as caught:
            auth.headers()
        assert not isinstance(caught.value, Refused)


def test_budget_spreads_calls_over_time():
    """Three calls a second: the fourth waits, and lanes are narrower still."""
    time = Time()
    http = transport(Wire(ok()), time, budget=Budget([(3, 1.0)], lanes={"search": [(1, 1.0)]}))

    for _ in range(7):
        http.request("GET", "/x", label="/x")
    plain = time.now
    for _ in range(3):
        http.request("GET", "/x", label="/x", lane="search")

    assert 2.0 <= plain - 1000.0 < 2.1
    assert time.now - plain >= 2.0


def test_closing_ends_a_wait():
    """Whoever sleeps on a Retry-After is woken."""
    asked = ThreadEvent()
    wire = Wire(lambda: asked.set() or status(429, retry_after="60")())
    http = transport(wire, sleep=None)
    errors = []

    def ask():
        try:
            http.request("GET", "/x", label="/x")
        except SystemDown as error:
            errors.append(error)

    thread = Thread(target=ask)
    thread.start()
    assert asked.wait(timeout=5)
    http.close()
    thread.join(timeout=5)

    assert len(errors) == 1


def test_closing_ends_a_request_in_flight():
    """A vendor that says nothing does not hold up whoever wants to stop."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        http = transport(None, origin=f"http://127.0.0.1:{silent.getsockname()[1]}", wire=None, sleep=None)
        errors = []

        def ask():
            try:
                http.request("GET", "/x", label="/x")
            except SystemDown as error:
                errors.append(error)

        thread = Thread(target=ask)
        thread.start()
        accepted, _ = silent.accept()
        with accepted:
            accepted.recv(1000)
            http.close()
            thread.join(timeout=5)

    assert len(errors) == 1
    assert "closed" in str(errors[0])


def test_neither_logs_nor_errors_nor_reprs_show_the_token(caplog):
    """Not at debug level either."""
    caplog.set_level(logging.DEBUG)
    http = transport(Wire(status(503)))

    with pytest.raises(SystemDown) as caught:
        http.request("GET", "/x", label="/x", params={"q": "hanako@example.jp"})

    shown = caplog.text + repr(caught.value) + repr(Secret("s3cret")) + str(caught.value.__cause__)
    assert "s3cret" not in shown
    assert "hanako" not in shown


def test_tries_are_counted_from_the_first():
    """One try is one try, and says so."""
    wire = Wire(status(503))
    time = Time()

    with pytest.raises(SystemDown, match="tries: 1"):
        transport(wire, time, patience=Patience(tries=1)).request("GET", "/x", label="/x")

    assert len(wire.requests) == 1
    assert time.naps == []


@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_body_in_many_parts_is_whole_and_bounded_in_time(encoding):
    """Whether it is compressed or not."""
    body = b'{"records":[' + b",".join(b'{"Id":"%d"}' % n for n in range(500)) + b"]}"
    sent = gzip.compress(body) if encoding else body
    time = Time()

    class Parts(httpx.SyncByteStream):
        def __init__(self, seconds):
            self.seconds = seconds

        def __iter__(self):
            for at in range(0, len(sent), 100):
                time.now += self.seconds
                yield sent[at : at + 100]

    headers = {"content-encoding": encoding} if encoding else {}
    wire = Wire(
        lambda: httpx.Response(200, headers=headers, stream=Parts(60)),
        lambda: httpx.Response(200, headers=headers, stream=Parts(0.1)),
    )

    answer = transport(wire, time).request("GET", "/x", label="/x")

    assert answer.content == body
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    ("environment", "origin", "proxy"),
    [
        ({"https_proxy": "http://proxy.example:3128"}, ORIGIN, "http://proxy.example:3128"),
        ({"https_proxy": "proxy.example:3128"}, ORIGIN, "http://proxy.example:3128"),
        ({"all_proxy": "http://proxy.example:3128"}, ORIGIN, "http://proxy.example:3128"),
        ({"http_proxy": "http://proxy.example:3128"}, ORIGIN, None),
        ({"https_proxy": "http://proxy.example:3128", "no_proxy": "acme.example"}, ORIGIN, None),
        ({"all_proxy": "http://proxy.example:3128"}, "http://127.0.0.1:8080", None),
        ({}, ORIGIN, None),
    ],
)
def test_proxy_of_the_environment_is_used_but_not_to_this_machine(environment, origin, proxy, monkeypatch):
    """The usual variables, with their exceptions; a loopback address is never sent through another machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert _proxy_to(Origin(origin)) == proxy


def test_request_goes_through_the_proxy_as_a_tunnel(monkeypatch):
    """The proxy is asked to connect, and sees neither path nor token."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.getsockname()[1]}")
        heard = []

        def refuse():
            accepted, _ = server.accept()
            with accepted:
                heard.append(accepted.recv(4000))
                accepted.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = Thread(target=refuse)
        thread.start()
        http = transport(None, wire=None, patience=Patience(tries=1))
        with pytest.raises(SystemDown):
            http.request("GET", "/secret", label="/x")
        http.close()
        thread.join(timeout=5)

    assert heard[0].startswith(b"CONNECT acme.example:443 ")
    assert b"s3cret" not in heard[0]
    assert b"/secret" not in heard[0]
