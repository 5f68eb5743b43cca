"""The inputs for which an uploaded file may be meant."""

import re
from collections.abc import Iterator, Mapping

from api.problems import ProblemError
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.errors import InputProblem, shown
from worker.catalogue.inputs import Input, InputType
from worker.operations.file_references import UNKNOWN, file_input

_INDEX = re.compile(r"\[\d*\]")


def inputs_for(catalogue: Catalogue, endpoint: str, name: str) -> Mapping[str, Input]:
    """Return the inputs by path that may take the file; any endpoint's for no endpoint.

    `name` is the path of one. Raises ProblemError, and RequestRejected for an endpoint that is
    unknown or withdrawn.
    """
    if not endpoint:
        if name:
            raise _refused("endpoint", "is required with `input`")
        return {"body": UNKNOWN}
    model = catalogue.find(endpoint)
    model.require_not_withdrawn()
    takers = dict(_takers(model.inputs, ""))
    if name:
        path = _INDEX.sub("", name)
        if path not in takers:
            known = f"it has {', '.join(takers)}" if takers else "it has none"
            raise _refused(
                "input", f"is no input of this endpoint that takes a file; {known}", name
            )
        return {path: takers[path]}
    found = {path: item for path, item in takers.items() if item is not UNKNOWN}
    if not found:
        raise _refused("endpoint", "has no input that takes a file", endpoint)
    return found


def _takers(inputs: tuple[Input, ...], above: str) -> Iterator[tuple[str, Input]]:
    for item in inputs:
        accepted = file_input(item, item.name)
        if accepted is not None:
            yield f"{above}{item.name}", accepted
        if item.kind is InputType.OBJECT:
            yield from _takers(item.nested, f"{above}{item.name}.")


def _refused(path: str, message: str, value: str = "") -> ProblemError:
    problem = InputProblem(path=path, value=shown(value) if value else "", message=message)
    return ProblemError("invalid_request", str(problem), problems=[problem])
