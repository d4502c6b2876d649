"""Change management: training and its gate, panels, requests and "you said, we did", the three questions."""

from careplane.change.override_reasons import CardUse, ReasonCount, card_use, open_requests
from careplane.change.panels import Involvement, Panel, add_panel_member, add_session, involvement, panel
from careplane.change.requests import (
    ClosedLoop,
    answer_request,
    closed_loop,
    closed_loop_rate,
    find_requests,
    import_requests,
    post_request,
    vote,
)
from careplane.change.surveys import RoleScores, Score, ThreeQuestions, three_questions
from careplane.change.training import Passed, lesson, lessons_passed, take_quiz, trained, trained_by, trained_share

__all__ = [
    "CardUse",
    "ClosedLoop",
    "Involvement",
    "Panel",
    "Passed",
    "ReasonCount",
    "RoleScores",
    "Score",
    "ThreeQuestions",
    "add_panel_member",
    "add_session",
    "answer_request",
    "card_use",
    "closed_loop",
    "closed_loop_rate",
    "find_requests",
    "import_requests",
    "involvement",
    "lesson",
    "lessons_passed",
    "open_requests",
    "panel",
    "post_request",
    "take_quiz",
    "three_questions",
    "trained",
    "trained_by",
    "trained_share",
    "vote",
]
