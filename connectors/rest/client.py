"""The calls that a preset describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from connectors.answers import by_status, quotable, throttled
from connectors.http import Transport
from connectors.rest.preset import CursorPages, LinkPages, OffsetPages
from connectors.rest.records import ShapeError, at, records_of
from mapping.errors import SystemDown
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    import httpx

    from connectors.answers import Answer, Verdict
    from connectors.auth import Auth
    from connectors.budget import Budget
    from connectors.http import Deadlines, Patience
    from connectors.rest.preset import ObjectSpec, Params, Preset, Write

_decode = msgspec.json.Decoder().decode


class RestRejection(SystemDown):
    """The tool refused a request for good; `words` are its own."""

    def __init__(self, system: str, label: str, status: int, words: str) -> None:
        self.status = status
        self.words = words
        super().__init__(
            system,
            say("{system} refused {label}: HTTP {status}.", system=system, label=label, status=status),
            hint=say("`headrace doctor` looks closer."),
        )


class Page:
    """A page of records, where the next one starts (empty: it is the last), and the vendor's clock."""

    __slots__ = ("date", "following", "records")

    def __init__(self, records: list[dict[str, Any]], following: str, date: datetime | None) -> None:
        self.records = records
        self.following = following
        self.date = date


class Client:
    """One tenant of a tool. Calls raise `RestRejection` where they are refused, `SystemDown` where not answered."""

    def __init__(
        self,
        *,
        system: str,
        base_url: str,
        preset: Preset,
        auth: Auth,
        budget: Budget,
        clock: Callable[[], datetime],
        deadlines: Deadlines | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] | None = None,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        def judge(answer: Answer) -> Verdict:
            return classify(answer, preset, clock)

        self.system = system
        self.clock = clock
        self._preset = preset
        self.transport = Transport(
            system=system,
            origin=base_url,
            auth=auth,
            classify=judge,
            budget=budget,
            deadlines=deadlines,
            patience=patience,
            sleep=sleep,
            wire=wire,
        )

    def pages(self, spec: ObjectSpec, params: Params, start: str) -> Iterator[Page]:
        """The pages of a list from `start` on (empty: from the beginning), at least one."""
        place = start
        seen = {start}
        while True:
            page = self._page(spec, params, place)
            if page.following and page.following in seen:
                raise SystemDown(
                    self.system,
                    say("{system}: the list {path} does not move on.", system=self.system, path=spec.path),
                    hint=say("It names a page that was read already: check `pages` of the preset, or tell the vendor."),
                )
            yield page
            if not page.following:
                return
            place = page.following
            seen.add(place)

    def item(self, spec: ObjectSpec, id_: str) -> dict[str, Any] | None:
        """One record as it is now; None where it is gone."""
        item = spec.item
        if item is None:
            raise SystemDown(
                self.system,
                say("{system}: records of {path} cannot be read singly.", system=self.system, path=spec.path),
            )

        def decode(content: bytes) -> dict[str, Any]:
            found = at(_decode(content), item.record)
            if not isinstance(found, dict) or str(at(found, spec.key)) != id_:
                raise ShapeError
            return found

        answer = self._request("GET", item.path.replace("{id}", quote(id_, safe="")), item.path, decode=decode)
        if answer.status in item.gone:
            return None
        record: dict[str, Any] = self._accepted(answer, f"GET {item.path}").value
        return record

    def write(self, spec: Write, id_: str, values: Mapping[str, object]) -> None:
        """Set fields of one record; raises `LostAnswer` where nobody knows whether it happened."""
        body: dict[str, object] = dict(values)
        for key in reversed((spec.under,) if isinstance(spec.under, str) else spec.under):
            body = {key: body}
        path = spec.path.replace("{id}", quote(id_, safe=""))
        answer = self._request(spec.method, path, spec.path, body=body, is_idempotent=False)
        self._accepted(answer, f"{spec.method} {spec.path}")

    def _page(self, spec: ObjectSpec, params: Params, place: str) -> Page:
        asked = {name: _text(value) for name, value in params.items()}
        path = spec.path
        pages = spec.pages
        if isinstance(pages, CursorPages) and place:
            asked[pages.into] = place
        elif isinstance(pages, OffsetPages):
            asked |= {pages.size_into: str(pages.size), pages.into: place or "0"}
        elif isinstance(pages, LinkPages) and place:
            path, asked = place, {}

        def decode(content: bytes) -> tuple[list[dict[str, Any]], str]:
            document = _decode(content)
            records = records_of(document, spec)
            return records, _following(document, spec, len(records), place)

        answer = self._accepted(self._request("GET", path, spec.path, params=asked, decode=decode), f"GET {spec.path}")
        records, following = answer.value
        return Page(records, following, answer.server_date)

    def _request(
        self,
        method: str,
        path: str,
        label: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        is_idempotent: bool | None = None,
        decode: Callable[[bytes], Any] | None = None,
    ) -> Answer:
        return self.transport.request(
            method,
            path,
            label=label,
            params=params,
            json=body,
            is_idempotent=is_idempotent,
            cost=self._preset.cost.get(method, 1),
            decode=decode,
        )

    def _accepted(self, answer: Answer, label: str) -> Answer:
        if answer.is_ok:
            return answer
        raise RestRejection(self.system, label, answer.status, words_of(answer, self._preset))


def classify(answer: Answer, preset: Preset, clock: Callable[[], datetime]) -> Verdict:
    """Judge by the status, with the tool's own way of asking to slow down."""
    if answer.status not in preset.throttle.status:
        return by_status(answer)
    now = (answer.server_date or clock()).timestamp()
    for wait in preset.throttle.wait:
        if wait.fixed_s is not None:
            return throttled(wait_s=wait.fixed_s)
        if wait.header.lower() == "retry-after":
            seconds = answer.retry_after_s
        else:
            seconds = _seconds(answer.headers.get(wait.header, ""), now if wait.form == "epoch" else 0.0)
        if seconds is not None:
            return throttled(wait_s=seconds)
    return throttled()


def words_of(answer: Answer, preset: Preset) -> str:
    """The tool's own words of refusal, fit for the journal; empty where there are none."""
    try:
        document = _decode(answer.content)
    except ValueError:
        return ""
    for path in preset.messages:
        found = at(document, path)
        if isinstance(found, str) and found:
            return quotable(found)
    return ""


def _following(document: object, spec: ObjectSpec, count: int, place: str) -> str:
    pages = spec.pages
    if isinstance(pages, OffsetPages):
        return str(int(place or "0") + count) if count >= pages.size else ""
    if isinstance(pages, CursorPages | LinkPages):
        found = at(document, pages.token if isinstance(pages, CursorPages) else pages.link)
        return str(found) if found not in (None, "", False) else ""
    return ""


def _seconds(text: str, since: float) -> float | None:
    try:
        return max(0.0, float(text) - since)
    except ValueError:
        return None


def _text(value: str | int | bool) -> str:  # noqa: FBT001  # a value of a query
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
