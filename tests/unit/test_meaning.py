"""Which vendor value means what."""

from __future__ import annotations

import pytest

from mapping.meaning import DEFAULTS, MEANINGS, NOTHING, Meaning, walk

KINDS = {"crm": "salesforce", "hubspot": "hubspot", "cs": "vitally"}


@pytest.mark.parametrize(
    ("system", "object_", "field", "value", "meaning"),
    [
        ("crm", "Lead", "Status", "Working - Contacted", "lead_accepted"),
        ("crm", "Lead", "Status", " working - contacted ", "lead_accepted"),
        ("crm", "Lead", "Status", "Open - Not Contacted", NOTHING),
        ("crm", "Lead", "Status", "In Arbeit", None),
        ("crm", "Lead", "Rating", "Hot", None),
        ("other", "Lead", "Status", "Working - Contacted", None),
        ("hubspot", "contacts", "recent_conversion_event_name", "資料ダウンロード: 在庫管理", "content_downloaded"),
        ("hubspot", "contacts", "recent_conversion_event_name", "Webinar: Stock", "webinar_attended"),
        ("hubspot", "contacts", "recent_conversion_event_name", "お問い合わせ", "form_submitted"),
        ("hubspot", "deals", "dealstage", "closedwon", "opportunity_won"),
    ],
)
def test_value_means(system: str, object_: str, field: str, value: str, meaning: str | None) -> None:
    """The defaults of a system's kind hold under its configured name; an unknown value has no meaning."""
    assert Meaning(KINDS).of(system, object_, field, value) == meaning


def test_file_wins_value_by_value() -> None:
    """What the file says of one value leaves the defaults of the others."""
    tables = {"crm": {"Lead": {"Status": {"Nurturing": "nothing", "In Arbeit": "lead_accepted"}}}}
    meaning = Meaning(KINDS, tables)

    found = [meaning.of("crm", "Lead", "Status", value) for value in ("Nurturing", "In Arbeit", "Working - Contacted")]
    assert found == [NOTHING, "lead_accepted", "lead_accepted"]


def test_longest_beginning_wins() -> None:
    """`Webinar replay*` is more than `Webinar*`, and an exact value more than both."""
    forms = {"Webinar replay*": "content_downloaded", "Webinar replay list": "nothing"}
    meaning = Meaning(KINDS, {"hubspot": {"contacts": {"recent_conversion_event_name": forms}}})

    values = ("Webinar: a", "Webinar replay: a", "Webinar replay list")
    found = [meaning.of("hubspot", "contacts", "recent_conversion_event_name", value) for value in values]
    assert found == ["webinar_attended", "content_downloaded", NOTHING]


def test_shipped_meanings_are_events() -> None:
    """Every default means an event kind or nothing."""
    for objects in DEFAULTS.values():
        for _, _, table in walk(objects):
            assert {str(meaning) for meaning in table.values()} <= MEANINGS
