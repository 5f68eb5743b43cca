"""What fal's clips should have cost: by day, endpoint and tenant."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from starlette.responses import Response

from api.console.rendering import Renderer
from api.console.visit import Page, Visit
from worker.api_keys.scopes import Scope
from worker.jobs.days import Spending, spending
from worker.jobs.store import JobStore

PERIODS = (7, 30, 90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Clips and their estimates under one name; `share` is that of the largest, 0 to 1."""

    name: str
    clips: int
    usd: Decimal
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """The handler of the page; an admin sees all tenants."""

    store: JobStore
    renderer: Renderer

    def show(self, visit: Visit) -> Response:
        """Answer GET /console/spend."""
        asked, now = visit.query.get("days", ""), self.store.clock()
        days = int(asked) if asked in {str(each) for each in PERIODS} else PERIODS[1]
        found = spending(self.store.redis, until=now, days=days)
        is_admin = visit.signed_in.may(Scope.ADMIN)
        own = [each for each in found if is_admin or each.tenant == visit.tenant]
        return self.renderer.page(
            visit,
            "spend.html",
            days=days,
            periods=PERIODS,
            by_day=_by_day(own, datetime.fromtimestamp(now, UTC).date(), days),
            by_endpoint=_totals(own, lambda each: each.endpoint),
            by_tenant=_totals(own, lambda each: each.tenant) if is_admin else [],
            clips=sum(each.clips for each in own),
            usd=sum((each.usd for each in own), Decimal(0)),
        )


def _by_day(found: Sequence[Spending], last: date, days: int) -> Sequence[Total]:
    known = {total.name: total for total in _totals(found, lambda each: each.day.isoformat())}
    names = [(last - timedelta(days=back)).isoformat() for back in reversed(range(days))]
    none = Total(name="", clips=0, usd=Decimal(0), share=0.0)
    return [
        Total(name=name, clips=one.clips, usd=one.usd, share=one.share)
        for name, one in ((name, known.get(name, none)) for name in names)
    ]


def _totals(found: Sequence[Spending], name: Callable[[Spending], str]) -> Sequence[Total]:
    """Return the total under each name, the largest first."""
    clips: defaultdict[str, int] = defaultdict(int)
    usd: defaultdict[str, Decimal] = defaultdict(Decimal)
    for each in found:
        clips[name(each)] += each.clips
        usd[name(each)] += each.usd
    largest = max(usd.values(), default=Decimal(0)) or Decimal(1)
    totals = [
        Total(name=one, clips=clips[one], usd=usd[one], share=float(usd[one] / largest))
        for one in clips
    ]
    return sorted(totals, key=lambda total: (-total.usd, total.name))


def pages(spend: Spend) -> Sequence[Page]:
    """Return the page."""
    return (Page(method="GET", path="/console/spend", name="spend", handler=spend.show),)
