"""The tenants that cost most today, as gauges: a tenant is no label of anything that is counted."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from prometheus_client.core import Metric
from redis import Redis

from worker.jobs.days import spending
from worker.metrics.manifest import Family


def largest_tenants(redis: Redis, *, at: float, most: int) -> Iterator[Metric]:
    """Yield what the day (UTC) of `at` has of the `most` tenants that cost most, if it is over 0.

    A gauge of a tenant that is no longer one of them vanishes. Raises RedisError.
    """
    if not most:
        return
    clips: Counter[str] = Counter()
    dollars: defaultdict[str, float] = defaultdict(float)
    for each in spending(redis, until=at, days=1):
        clips[each.tenant] += each.clips
        dollars[each.tenant] += float(each.usd)
    rendered, spent = Family("falhook_tenant_clips_today"), Family("falhook_tenant_today_dollars")
    for tenant in sorted(clips, key=lambda name: (-dollars[name], -clips[name], name))[:most]:
        rendered.add(clips[tenant], tenant=tenant)
        spent.add(dollars[tenant], tenant=tenant)
    yield from (rendered.metric, spent.metric)
