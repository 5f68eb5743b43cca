"""docs/job.svg is drawn from docs/job.dot, and shows the job as the code has it."""

import re
import xml.etree.ElementTree as ET

from infra.diagram import DRAWING, SOURCE, drawn_from, fingerprint, styled
from worker.jobs.job import MOVES, JobState

# Moves that the diagram leaves to its line of ends, or that are a retry.
ENDS = {JobState.FAILED, JobState.EXPIRED, JobState.CANCELLED}


def test_the_drawing_is_of_the_source() -> None:
    """The fingerprint in the SVG is that of the DOT source and the style; else: make diagram."""
    assert fingerprint(SOURCE.read_text()) == drawn_from(DRAWING.read_text())


def test_another_source_has_another_fingerprint() -> None:
    """One changed letter is noticed."""
    drawing = styled('<?xml?>\n<svg width="8pt" height="8pt">\n</svg>\n', "digraph {}")
    assert fingerprint("digraph {}") == drawn_from(drawing)
    assert fingerprint("digraph { }") != drawn_from(drawing)


def test_every_state_is_drawn() -> None:
    """The drawing is well-formed XML and has a text for each state of a job."""
    texts = {text.strip() for text in ET.parse(DRAWING).getroot().itertext()}
    assert set() == {state.value for state in JobState} - texts


def test_every_drawn_move_is_allowed() -> None:
    """Each arrow from state to state is a move that the record allows."""
    arrows = set(re.findall(r"^\s*([A-Z_]+) -> ([A-Z_]+)$", SOURCE.read_text(), re.MULTILINE))
    states = {(before, after) for before, after in arrows if {before, after} <= set(JobState)}
    assert set() == {(b, a) for b, a in states if JobState(a) not in MOVES[JobState(b)]}
    assert set(JobState) - ENDS == {JobState(state) for arrow in states for state in arrow}


def test_light_and_dark_have_the_same_rules() -> None:
    """No class is left with its light colours on a dark page."""
    light, dark = DRAWING.read_text().split("@media (prefers-color-scheme: dark)")
    rules = [
        set(re.findall(r"^(.+) \{ (?:fill|stroke)", half, re.MULTILINE)) for half in (light, dark)
    ]
    assert rules[0] == rules[1]
