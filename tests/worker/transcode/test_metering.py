"""The resources of work are measured, by part and in total."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.transcode.ffmpeg import ResourceUsage
from worker.transcode.metering import Meter


def test_work_is_measured() -> None:
    """Processor time is that of the work, memory at least that of this process."""
    meter = Meter()
    with meter.measure("work", bytes_in=7) as usage:
        assert 0 < sum(number**2 for number in range(300_000))
    assert meter.parts["work"] is usage
    assert 0 < usage.cpu <= usage.wall + 0.05
    assert usage.memory > 5 << 20
    assert 7 == usage.bytes_in


def test_a_program_counts_for_its_work() -> None:
    """The processor time of a program is added; its memory replaces the worker's."""
    meter = Meter()
    with meter.measure("work") as usage:
        usage.add_child(ResourceUsage(cpu=2.5, wall=3.0, memory=1234))
    assert 2.5 <= usage.cpu < 3
    assert 1234 == usage.memory


def test_work_that_fails_is_measured_too() -> None:
    """An exception passes through, and the time until then is measured."""
    meter = Meter()
    with pytest.raises(LookupError), meter.measure("work"):
        raise LookupError
    assert meter.parts["work"].wall > 0


@given(
    st.dictionaries(
        st.text(min_size=1),
        st.builds(
            ResourceUsage,
            cpu=st.floats(0, 100),
            wall=st.floats(0, 100),
            memory=st.integers(0, 1 << 40),
            bytes_in=st.integers(0, 1 << 40),
            bytes_out=st.integers(0, 1 << 40),
        ),
    )
)
def test_total(parts: dict[str, ResourceUsage]) -> None:
    """Times and bytes are added up, memory is the maximum; the record has all parts."""
    meter = Meter()
    meter.parts = parts
    total = meter.total()
    assert sum(part.bytes_in for part in parts.values()) == total.bytes_in
    assert max((part.memory for part in parts.values()), default=0) == total.memory
    record = meter.record()
    assert {name: part.record() for name, part in parts.items()} == record["parts"]
    assert round(total.cpu, 3) == record["cpu"]
