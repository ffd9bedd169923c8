"""What marketing does and what people do in answer: campaigns, forms, mails, visits, and when that makes an MQL."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from sandbox.world.dice import happens, one_of

if TYPE_CHECKING:
    from random import Random

    from sandbox.world.people import Person

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
JAPAN_MS: Final = 9 * HOUR_MS
"""How far clocks in Japan are ahead of UTC."""
HALF_LIFE_MS: Final = 30 * DAY_MS
MQL_SCORE: Final = 60
MQL_EMPLOYEES: Final = 50
LARGE_EMPLOYEES: Final = 200

_CHANNELS: Final = (
    ("Organic Search", 0.26),
    ("Paid Search", 0.16),
    ("Webinar", 0.2),
    ("Content", 0.18),
    ("Trade Show", 0.09),
    ("Referral", 0.06),
    ("Outbound", 0.05),
)

FORM, DOWNLOAD, WEBINAR, OPEN, CLICK, VIEW, SHOW = "form", "download", "webinar", "open", "click", "view", "show"
INQUIRIES: Final = frozenset({FORM, DOWNLOAD, WEBINAR, SHOW})
_POINTS = {FORM: 10, DOWNLOAD: 12, WEBINAR: 16, OPEN: 1, CLICK: 3, VIEW: 1, SHOW: 0}
_CAPS = {OPEN: 8.0, CLICK: 12.0, VIEW: 10.0}
_LEVEL_POINTS = {"staff": 0, "manager": 10, "director": 15, "executive": 15}

_SUBJECTS = (
    ("在庫管理の見直し", "Rethinking inventory"),
    ("請求業務の自動化", "Automating invoices"),
    ("需要予測入門", "Demand forecasting, an introduction"),
    ("BtoBマーケティングの基礎", "The basics of B2B marketing"),
    ("データ連携の落とし穴", "Pitfalls of data integration"),
    ("営業とマーケの合意形成", "Getting sales and marketing to agree"),
    ("解約を防ぐ", "Preventing churn"),
    ("経営ダッシュボード", "Dashboards for the board"),
)
_CAMPAIGN_KINDS: Final = (
    (WEBINAR, "Webinar", "ウェビナー: {ja}", "Webinar: {en}"),
    (DOWNLOAD, "Content", "資料ダウンロード: {ja}", "Whitepaper: {en}"),
    (FORM, "Web Form", "お問い合わせ: {ja}", "Contact us: {en}"),
    (SHOW, "Trade Show", "展示会: {ja}", "Trade show: {en}"),
    (OPEN, "Email", "メルマガ: {ja}", "Newsletter: {en}"),
    (FORM, "Advertisement", "広告デモ申込: {ja}", "Demo request (ad): {en}"),
)


class Campaign(NamedTuple):
    """One campaign, in Salesforce a record and in HubSpot the name of a conversion."""

    number: int
    kind: str
    type: str
    name: str
    is_japanese: bool
    starts_at: int


class Touch(NamedTuple):
    """One thing that a person did, or that was done to win the person; quantity is the pages of a visit."""

    at: int
    kind: str
    name: str = ""
    quantity: int = 1
    campaign: int = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Interest:
    """What marketing knows of a person in the end: the channel, the touches in order, and the MQL instant if any."""

    channel: str
    touches: list[Touch]
    mql_at: int | None

    @property
    def inquiry_at(self) -> int | None:
        """When the person first asked for something, None where that never came."""
        return next((touch.at for touch in self.touches if touch.kind in INQUIRIES), None)


class Calendar:
    """All campaigns of the window, to be asked for the next one of a kind and language."""

    def __init__(self, rng: Random, *, starts_at: int, ends_at: int, per_month: int) -> None:
        self.campaigns: list[Campaign] = []
        step = 30 * DAY_MS // per_month
        at = starts_at
        while at < ends_at:
            number = len(self.campaigns)
            kind, type_, ja, en = _CAMPAIGN_KINDS[number // 2 % len(_CAMPAIGN_KINDS)]
            is_japanese = number % 2 == 0
            subject_ja, subject_en = rng.choice(_SUBJECTS)
            name = ja.format(ja=subject_ja) if is_japanese else en.format(en=subject_en)
            begin = at // DAY_MS * DAY_MS + (1 + rng.randrange(8)) * HOUR_MS
            self.campaigns.append(Campaign(number, kind, type_, name, is_japanese, begin))
            at += step
        self._by_kind: dict[tuple[str, bool], tuple[list[int], list[Campaign]]] = {}
        for campaign in self.campaigns:
            starts, campaigns = self._by_kind.setdefault((campaign.kind, campaign.is_japanese), ([], []))
            starts.append(campaign.starts_at)
            campaigns.append(campaign)

    def near(self, kind: str, at: int, *, is_japanese: bool) -> Campaign:
        """The campaign of a kind and language that begins next after an instant, or the last one."""
        starts, campaigns = self._by_kind[kind, is_japanese]
        return campaigns[min(bisect_left(starts, at), len(campaigns) - 1)]

    def running(self, kind: str, at: int, *, is_japanese: bool) -> Campaign:
        """The campaign of a kind and language that began last before an instant, or the first one."""
        starts, campaigns = self._by_kind[kind, is_japanese]
        return campaigns[max(bisect_left(starts, at) - 1, 0)]


def office_hours(rng: Random, at: int, *, is_japanese: bool) -> int:
    """The instant moved into the working hours of its day: 9 to 19 in Japan, 8 to 18 UTC elsewhere."""
    begin = 0 if is_japanese else 8
    return at // DAY_MS * DAY_MS + int((begin + 10 * rng.random()) * HOUR_MS)


def attribute_points(person: Person) -> int:
    """What a person's company and position are worth."""
    employees = person.company.employees
    size = 25 if employees > LARGE_EMPLOYEES else 20 if employees >= MQL_EMPLOYEES else 0
    return size + _LEVEL_POINTS[person.level]


def mql_instant(person: Person, touches: list[Touch]) -> int | None:
    """When the score first reached the mark; behaviour counts up to its cap and halves every thirty days."""
    if person.company.employees < MQL_EMPLOYEES:
        return None
    base = attribute_points(person)
    given: dict[str, float] = {}
    decayed, last = 0.0, 0
    for touch in touches:
        points = float(_POINTS[touch.kind] * touch.quantity)
        cap = _CAPS.get(touch.kind)
        if cap is not None:
            points = min(points, cap - given.get(touch.kind, 0.0))
            given[touch.kind] = given.get(touch.kind, 0.0) + points
        decayed = decayed * 0.5 ** ((touch.at - last) / HALF_LIFE_MS) + points
        last = touch.at
        if base + decayed >= MQL_SCORE:
            return touch.at
    return None


def make_interest(rng: Random, person: Person, calendar: Calendar, *, now_ms: int) -> Interest:
    """A person's course through marketing until now: a first inquiry, then mails and visits, then perhaps a burst."""
    is_japanese = person.company.is_japanese
    channel = one_of(rng, _CHANNELS)
    touches: list[Touch] = []
    at = person.starts_at
    _add_visit(rng, touches, at - int(rng.random() * 20 * 60_000))
    _add_inquiry(rng, touches, _first_kind(channel, rng), at, calendar, is_japanese=is_japanese)
    mailed_until = min(now_ms, at + int((20 + 120 * rng.random()) * DAY_MS))
    mail = at + int(rng.random() * 8 * DAY_MS)
    while mail < mailed_until:
        if happens(rng, 0.42):
            opened = office_hours(rng, mail, is_japanese=is_japanese)
            touches.append(Touch(opened, OPEN))
            if happens(rng, 0.22):
                touches.append(Touch(opened + 40_000, CLICK))
                _add_visit(rng, touches, opened + 45_000)
        mail += int((6 + 8 * rng.random()) * DAY_MS)
    if happens(rng, 0.88 * person.company.warmth):
        _add_burst(rng, touches, person, at, calendar)
    elif happens(rng, 0.4):
        _add_inquiry(rng, touches, DOWNLOAD, at + int(rng.random() * 60 * DAY_MS), calendar, is_japanese=is_japanese)
    touches = sorted(touch for touch in touches if touch.at < now_ms)
    return Interest(channel=channel, touches=touches, mql_at=mql_instant(person, touches))


def yamada_interest(now_ms: int, calendar: Calendar) -> Interest:
    """山田 太郎 came to a webinar, read four mails, and with a download three days ago passed the mark of 60 points."""
    # One minute past noon in Japan.
    mql_at = (now_ms + JAPAN_MS) // DAY_MS * DAY_MS - JAPAN_MS - 3 * DAY_MS + 12 * HOUR_MS + 60_000
    webinar = calendar.running(WEBINAR, mql_at, is_japanese=True)
    paper = calendar.running(DOWNLOAD, mql_at, is_japanese=True)
    opens = [Touch(mql_at - hours * HOUR_MS, OPEN) for hours in (45, 27, 20, 3)]
    touches = [
        Touch(mql_at - 46 * HOUR_MS - 90_000, VIEW, quantity=2),
        *opens,
        Touch(mql_at - 20 * HOUR_MS + 60_000, CLICK),
        Touch(mql_at - 20 * HOUR_MS + 65_000, VIEW, quantity=3),
        Touch(mql_at - 46 * HOUR_MS, WEBINAR, webinar.name, campaign=webinar.number),
        Touch(mql_at, DOWNLOAD, paper.name, campaign=paper.number),
    ]
    return Interest(channel="Webinar", touches=sorted(touches), mql_at=mql_at)


def _first_kind(channel: str, rng: Random) -> str:
    if channel == "Webinar":
        return WEBINAR
    if channel == "Content":
        return DOWNLOAD
    if channel == "Trade Show":
        return SHOW
    return FORM if happens(rng, 0.6) else DOWNLOAD


def _add_inquiry(
    rng: Random, touches: list[Touch], kind: str, at: int, calendar: Calendar, *, is_japanese: bool
) -> None:
    campaign = calendar.running(kind, at, is_japanese=is_japanese)
    touches.append(
        Touch(office_hours(rng, at, is_japanese=is_japanese), kind, campaign.name, campaign=campaign.number),
    )


def _add_visit(rng: Random, touches: list[Touch], at: int) -> None:
    touches.append(Touch(at, VIEW, quantity=1 + int(rng.random() * rng.random() * 7)))


def _add_burst(rng: Random, touches: list[Touch], person: Person, at: int, calendar: Calendar) -> None:
    """Some days of real interest, as long as it takes to be worth a call."""
    is_japanese = person.company.is_japanese
    begin = at + int((2 + 18 * rng.random()) * DAY_MS)
    wanted = MQL_SCORE + 4 - attribute_points(person)
    score = 0
    kinds = [WEBINAR, DOWNLOAD, FORM, DOWNLOAD, WEBINAR]
    while score < wanted and kinds:
        kind = kinds.pop(int(rng.random() * min(3, len(kinds))))
        begin += int(rng.random() * 3 * DAY_MS)
        _add_visit(rng, touches, begin - 120_000)
        _add_inquiry(rng, touches, kind, begin, calendar, is_japanese=is_japanese)
        if happens(rng, 0.5):
            touches.append(Touch(office_hours(rng, begin + DAY_MS, is_japanese=is_japanese), OPEN))
            score += 1
        score += _POINTS[kind] + 2
