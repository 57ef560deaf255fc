"""A Mermaid ``sequenceDiagram``, for pages that draw it themselves.

Mermaid has an arrow with a cross for what is lost or turned away (``-x``) and a dotted one for what
was held (``-->>``); what else is to be said of a row stands in a note.
"""

import json
from collections.abc import Collection, Iterator

from ..tcp_model.instant import SECOND
from .passage import Passage
from .story import Kind, Row, Story, tell
from .trace import Trace

__all__ = ["draw"]


def draw(trace: Trace, only: Collection[str] = ()) -> str:
    """The diagram of a trace, of ``only`` these clients where any are named."""
    return "".join(f"{line}\n" for line in _lines(tell(trace, only)))


def _lines(story: Story) -> Iterator[str]:
    if story.title:
        yield from ("---", f"title: {json.dumps(_escape(story.title))}", "---")
    yield "sequenceDiagram"
    # Mermaid reads some words as its own, so participants have numbers and names are labels.
    names = [*story.clients, *([story.server] if story.server else [])]
    ids = {name: f"p{number}" for number, name in enumerate(names)}
    yield from (f"    participant {ids[name]} as {_escape(name)}" for name in names)
    depths: tuple[object, ...] = ()
    for row in story.rows:
        here = ids.get(row.host) or ids.get(story.server, "")
        if row.passage is not None:
            yield from _packet(row, row.passage, ids)
        elif here and row.texts:
            yield _note(here, f"{_clock(row)} {'; '.join(row.texts)}")
        if row.depths != depths and story.server in ids:
            depths = row.depths
            yield _note(ids[story.server], _queues(story, row))


def _packet(row: Row, passage: Passage, ids: dict[str, str]) -> Iterator[str]:
    sender, receiver = ids[passage.sender], ids[passage.receiver]
    again = " again" if passage.again else ""
    label = f"{_clock(row)} {passage.name}{again} ({passage.text})"
    said = "; ".join(row.texts)
    if row.kind is Kind.DEPARTURE:
        yield _note(sender, f"{label}: {said or 'sent'}")
        return
    lost = row.refused or row.kind is Kind.LOSS
    arrow = "-x" if lost else "->>"
    if passage.held:
        arrow = "-" + arrow
    yield f"    {sender}{arrow}{receiver}: {_escape(label)}"
    if said:
        yield _note(sender if row.kind is Kind.LOSS else receiver, said)


def _queues(story: Story, row: Row) -> str:
    parts = []
    for gauge, depth in zip(story.gauges, row.depths, strict=True):
        if depth is not None:
            limit = "" if depth[1] is None else f"/{depth[1]}"
            name = gauge.queue.replace("syn", "SYN").replace("_", " ")
            parts.append(f"{name} {depth[0]}{limit}")
    return ", ".join(parts)


def _note(where: str, text: str) -> str:
    return f"    Note over {where}: {_escape(text)}"


def _clock(row: Row) -> str:
    return f"{row.at / SECOND:.3f} s"


def _escape(text: str) -> str:
    """A semicolon ends a statement, and ``#`` begins the code of a character."""
    codes = {"#": "#35;", ";": "#59;", '"': "#quot;", "<": "#lt;", ">": "#gt;"}
    return "".join(codes.get(c, c) if c.isprintable() else "?" for c in text)
