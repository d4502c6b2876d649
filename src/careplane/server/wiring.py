"""What the console receives: the installation as its pages see it."""

from functools import partial

from careplane.console import ConsoleContext
from careplane.records.run import ReviewAction, Run
from careplane.server.platform import Platform
from careplane.workflow import answer_survey, review_run


def console_context(platform: Platform) -> ConsoleContext:
    """The console's view of a platform."""
    settings = platform.settings

    async def review(
        run_id: str,
        action: ReviewAction,
        by: str,
        seconds: float,
        final_text: str | None,
        reason: str | None,
        comment: str,
        *,
        clicks: int | None = None,
        confirmed: str = "",
    ) -> Run:
        return await review_run(
            platform.runtime,
            run_id,
            action,
            by,
            seconds,
            at=platform.clock(),
            final_text=final_text,
            reason=reason,
            comment=comment,
            clicks=clicks,
            confirmed=confirmed,
        )

    return ConsoleContext(
        store=platform.store,
        ledger=platform.ledger,
        apps=platform.apps,
        review=review,
        answer_survey=partial(answer_survey, platform.runtime),
        plan_message=platform.messages.plan,
        runtime=platform.runtime,
        clock=platform.clock,
        home=platform.home,
        synthetic=platform.synthetic,
        site_name=settings.text("site_name"),
        small_cell=int(settings.number("small_cell")),
        session_hours=settings.number("session_hours"),
        host=settings.text("host"),
        public_url=settings.text("public_url"),
        measures={name: measure.info for name, measure in platform.measures.items()},
        power=platform.estimators["power"],
        icer=platform.estimators["icer"],
    )
