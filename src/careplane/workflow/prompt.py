"""From context to the request that goes to the gateway. What comes from the chart or a patient is quoted as data."""

from careplane.apps.template import render_prompt
from careplane.records.app import App
from careplane.records.model import ModelRequest
from careplane.records.run import Event, Source
from careplane.shield.guards import neutralise
from careplane.workflow.context import MESSAGE, Context


def model_request(app: App, event: Event, context: Context, run: str) -> ModelRequest:
    """The request of a run. Its id follows from the run, so a repeat is the same request (idempotency key).

    Raises:
        InputError: the prompt cannot be filled in, or exceeds its limits.
    """
    spec = app.spec
    values = {name: tuple(map(_quoted, sources)) for name, sources in context.by_name.items()}
    messages = render_prompt(
        app,
        {
            "title": spec.title,
            "today": event.at.date().isoformat(),
            "language": context.language,
            "unit": event.unit or "",
            "sources": tuple(map(_quoted, context.sources)),
            MESSAGE: neutralise(context.message),
            **values,
        },
    )
    return ModelRequest(
        id=f"{run}-draft",
        app=app.id,
        route=spec.route.model,
        body={
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "max_tokens": spec.route.max_tokens,
            "temperature": spec.route.temperature,
        },
        policy=spec.data_policy,
        guards=spec.guards,
        version=spec.version,
        run=run,
        site=event.site,
        patient=event.patient,
        encounter=event.encounter,
        purpose=spec.data_policy.purpose,
        chart=context.chart,
    )


def _quoted(source: Source) -> Source:
    """A source on one line, so that a note cannot forge the next source."""
    return Source(
        n=source.n,
        reference=source.reference,
        label=source.label,
        text=" ".join(neutralise(source.text).split()),
        date=source.date,
    )
