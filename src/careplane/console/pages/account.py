"""One's own account, signing out, and the list of accounts for an administrator."""

from starlette.responses import Response

from careplane.console import accounts
from careplane.console.launched import leave_launch
from careplane.console.pages.page import Page
from careplane.console.permissions import GRANTS
from careplane.console.sign_in import COOKIE
from careplane.console.visit import Visit
from careplane.errors import InputError


def own(visit: Visit) -> Response:
    return _own(visit)


def password(visit: Visit) -> Response:
    """Set one's own password; an account that has one must give it first."""
    account = visit.account
    try:
        if account.password_hash and not accounts.check_password(account, visit.form.get("current", "")):
            raise InputError("This is not your present password.", field="current")
        if visit.form.get("password") != visit.form.get("again"):
            raise InputError("The two are not the same.", field="again")
        accounts.set_password(visit.context.store, account, visit.form.get("password", ""))
    except InputError as error:
        return _own(visit, error)
    visit.context.ledger.append("password_set", at=visit.context.wall_clock(), actor=account.id)
    return visit.go("/account?changed=yes")


def sign_out(visit: Visit) -> Response:
    if visit.launch is not None:
        return leave_launch(visit)
    accounts.end_session(visit.context.store, visit.request.cookies.get(COOKIE, ""))
    response = visit.go("/sign-in")
    response.delete_cookie(COOKIE)
    return response


def admin(visit: Visit) -> Response:
    return visit.page("admin.html", accounts=accounts.find_accounts(visit.context.store), grants=GRANTS)


def _own(visit: Visit, error: InputError | None = None) -> Response:
    may = [(name, grant, visit.may(name)) for name, grant in GRANTS.items()]
    return visit.page("account.html", status=400 if error else 200, may=may, error=error)


PAGES = (
    Page("/account", own, "portfolio"),
    Page("/account", password, "portfolio", "POST"),
    Page("/sign-out", sign_out, "portfolio", "POST"),
    Page("/admin", admin, "accounts"),
)
