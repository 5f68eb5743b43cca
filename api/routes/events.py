"""Operations on events: live streams, pages, and cursors that are stored by name."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.dispatch import json_response
from api.events.entries import kept, settled
from api.events.pages import read_page
from api.events.positions import START, Cursor, Positions
from api.events.selection import Selection
from api.events.sse import EventStreams, NotFollowing, TooManyStreams
from api.events.stored_cursors import StoredCursor as Stored
from api.events.stored_cursors import StoredCursors, TooManyCursors
from api.job_finder import JobFinder
from api.models.event import JobEvent
from api.models.event_page import Acknowledgement, EventPage, StoredCursor, StoredCursorList
from api.models.event_query import EventsQuery
from api.models.job_history import JobHistory
from api.operation import Answer, Call, Operation, Rate
from api.problems import RETRY_AFTER, ProblemError
from worker.api_keys.scopes import Scope
from worker.jobs.history import history

STREAM = "text/event-stream"
LAST_EVENT_ID = "Last-Event-ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """The handlers of events."""

    redis: Redis
    streams: EventStreams
    cursors: StoredCursors
    finder: JobFinder

    async def get_events(self, call: Call) -> Response:
        """Answer GET /v1/events: a stream if the client accepts one, else a page."""
        return await self._events(call, frozenset())

    async def get_job_events(self, call: Call) -> Response:
        """Answer GET /v1/jobs/{id}/events: its whole history, or a stream of what follows."""
        job_id = call.request.path_params["id"]
        job = await run_in_threadpool(self.finder.find, job_id, call.tenant)
        if _wants_stream(call):
            return await self._events(call, frozenset({job.id}))
        events = [JobEvent.of("", event) for event in history(job)]
        return json_response(JobHistory(events=events))

    async def _events(self, call: Call, job_ids: frozenset[str]) -> Response:
        query: EventsQuery = call.query
        selection = Selection(
            tenant=call.tenant,
            job_ids=job_ids,
            states=frozenset(query.state),
            names=frozenset(query.name),
        )
        if _wants_stream(call):
            return self._stream(call, selection)
        return json_response(await run_in_threadpool(self._page, query, selection))

    def _stream(self, call: Call, selection: Selection) -> Response:
        query: EventsQuery = call.query
        # What the client has seen last, also of an earlier connection, counts more.
        after = call.request.headers.get(LAST_EVENT_ID, "") or query.after
        assert call.key is not None
        try:
            return self.streams.open(call.key.id, selection, _cursor(after) if after else None)
        except TooManyStreams as error:
            raise ProblemError("too_many_streams", str(error), retry_after=RETRY_AFTER) from None
        except NotFollowing as error:
            raise ProblemError("unavailable", str(error), code="redis_unavailable") from None

    def _page(self, query: EventsQuery, selection: Selection) -> EventPage:
        after, gap = self._after(query, selection.tenant)
        page = read_page(self.redis, after, wanted=selection.has, limit=query.limit)
        return EventPage(
            events=[JobEvent.of(str(entry.id), entry.event) for entry in page.entries],
            cursor=page.after.encode(),
            more=page.more,
            gap=gap,
        )

    def _after(self, query: EventsQuery, tenant: str) -> tuple[Positions, bool]:
        if query.after and query.cursor:
            detail = "send either after or the name of a cursor"
            raise ProblemError("invalid_request", detail)
        if query.cursor:
            cursor = Cursor(self._named(tenant, query.cursor).positions)
        else:
            cursor = _cursor(query.after) if query.after else Cursor(START)
        return settled(cursor, kept(self.redis))

    def _named(self, tenant: str, name: str) -> Stored:
        try:
            return self.cursors.get(tenant, name)
        except (ValueError, TooManyCursors) as error:
            raise ProblemError("invalid_request", str(error)) from None

    async def list_cursors(self, call: Call) -> Response:
        """Answer GET /v1/events/cursors."""
        found = await run_in_threadpool(self.cursors.listed, call.tenant)
        return json_response(StoredCursorList(cursors=[_shown(each) for each in found]))

    async def acknowledge(self, call: Call) -> Response:
        """Answer POST /v1/events/cursors/{name}:ack."""
        given: Acknowledgement = call.body
        name = call.request.path_params["name"]
        cursor = _cursor(given.cursor)
        try:
            moved = await run_in_threadpool(
                self.cursors.acknowledge, call.tenant, name, cursor, reset=given.reset
            )
        except (ValueError, TooManyCursors) as error:
            raise ProblemError("invalid_request", str(error)) from None
        return json_response(_shown(moved))

    async def delete_cursor(self, call: Call) -> Response:
        """Answer DELETE /v1/events/cursors/{name}."""
        name = call.request.path_params["name"]
        try:
            found = await run_in_threadpool(self.cursors.delete, call.tenant, name)
        except ValueError:
            found = False
        if not found:
            raise ProblemError(
                "not_found", "the cursor does not exist; GET /v1/events/cursors lists yours"
            )
        return Response(status_code=204)


def _wants_stream(call: Call) -> bool:
    return STREAM in call.request.headers.get("accept", "")


def _cursor(text: str) -> Cursor:
    try:
        return Cursor.parse(text)
    except ValueError:
        detail = "send the cursor of a page, or the id of an event, unchanged"
        raise ProblemError("bad_cursor", detail) from None


def _shown(stored: Stored) -> StoredCursor:
    return StoredCursor(
        name=stored.name, cursor=stored.positions.encode(), acknowledged=stored.acknowledged
    )


_STREAMED = (
    "With `Accept: text/event-stream` the answer is a stream (Server-Sent Events): each event is a "
    "message whose `data` is a JobEvent. It can be repeated after a lost connection, with the same "
    "id. `event: reset` asks to connect again; `gap` says that events are forgotten, and names the "
    "list of jobs; `bye` ends it when the server stops."
)


def operations(events: Events) -> Sequence[Operation]:
    """Return the operations on events."""
    last = {LAST_EVENT_ID: "The id of the last event that a stream brought: it goes on after it."}
    return (
        Operation(
            method="GET",
            path="/v1/events",
            name="listEvents",
            summary="Follow the events of all jobs, or read a page of them",
            description=_STREAMED,
            tag="events",
            handler=events.get_events,
            scope=Scope.EVENTS,
            query=EventsQuery,
            headers=last,
            answers={200: Answer("A page of events, or a stream.", EventPage, also=(STREAM,))},
            problems=("bad_cursor", "too_many_streams"),
        ),
        Operation(
            method="GET",
            path="/v1/jobs/{id}/events",
            name="listJobEvents",
            summary="Read the history of a job, or follow it",
            description=_STREAMED,
            tag="events",
            handler=events.get_job_events,
            scope=Scope.EVENTS,
            query=EventsQuery,
            headers=last,
            answers={200: Answer("Its history, or a stream.", JobHistory, also=(STREAM,))},
            problems=("not_found", "bad_cursor", "too_many_streams"),
        ),
        Operation(
            method="GET",
            path="/v1/events/cursors",
            name="listCursors",
            summary="List the cursors that are stored by name",
            tag="events",
            handler=events.list_cursors,
            scope=Scope.EVENTS,
            answers={200: Answer("The cursors.", StoredCursorList)},
        ),
        Operation(
            method="POST",
            path="/v1/events/cursors/{name}:ack",
            name="acknowledgeEvents",
            summary="Move a stored cursor to what was handled",
            description="It never moves back, so that acknowledgements may arrive late or twice.",
            tag="events",
            handler=events.acknowledge,
            scope=Scope.EVENTS,
            rate=Rate.READ,
            body=Acknowledgement,
            answers={200: Answer("Where it is now.", StoredCursor)},
            problems=("bad_cursor",),
        ),
        Operation(
            method="DELETE",
            path="/v1/events/cursors/{name}",
            name="deleteCursor",
            summary="Forget a stored cursor",
            tag="events",
            handler=events.delete_cursor,
            scope=Scope.EVENTS,
            answers={204: Answer("It is forgotten.", media_type="")},
            problems=("not_found",),
        ),
    )
