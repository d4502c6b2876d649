"""What a query may be: one SELECT, whatever the dialect, that writes and locks nothing and has no effects."""

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from careplane.errors import InputError

LONGEST = 20_000
DIALECTS = {"postgresql": "postgres", "sqlite": "sqlite", "mssql": "tsql", "snowflake": "snowflake", "mysql": "mysql"}

_FORBIDDEN: tuple[type[exp.Expression], ...] = (
    *(exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Drop, exp.Alter, exp.TruncateTable, exp.Copy),
    *(exp.Command, exp.Into, exp.Lock, exp.Set, exp.Pragma, exp.Attach, exp.Detach, exp.Use, exp.Transaction),
    *(exp.Commit, exp.Rollback, exp.Grant),
)
_VALUE = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")
_HIDING = re.compile(r"/\*M?!|\bU&[\"']", re.IGNORECASE)
"""Comments that MySQL and MariaDB run, and names that PostgreSQL spells by code points."""

_EFFECTS = re.compile(
    r"^(pg_(read|ls|stat_file|sleep|terminate|cancel|reload|rotate|logical|advisory|try_advisory|notify|promote|switch"
    r"|write|file|create|drop|import|export)|lo_|dblink|set_config|nextval|setval|currval|query_to_xml|database_to_xml"
    r"|table_to_xml|cursor_to_xml|load_extension|readfile|writefile|edit|fts3_tokenizer|xp_|sp_|openrowset|opendatasource"
    r"|load_file|sleep|benchmark|sys_)",
    re.IGNORECASE,
)


def check_select(query: str, backend: str) -> None:
    """Refuse what is not one SELECT.

    Raises:
        InputError: it cannot be parsed, is several statements, is none that only reads, or calls a function with
            effects; never quotes the query.
    """
    if len(query) > LONGEST or "\x00" in query:
        raise InputError(f"must have at most {LONGEST} characters", field="query")
    if _HIDING.search(query):
        raise InputError("must be plain: neither comments that run nor names by code points", field="query")
    try:
        named = _VALUE.sub(r":v_\1", query)  # a value may be named like a keyword
        statements = [one for one in sqlglot.parse(named, read=DIALECTS.get(backend)) if one is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        raise InputError("cannot be parsed as SQL", field="query") from error
    if len(statements) != 1:
        raise InputError("must be one statement", field="query")
    (tree,) = statements
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery):
        raise InputError("must be a SELECT", field="query")
    for node in tree.walk():
        if isinstance(node, _FORBIDDEN):
            raise InputError("must only read: no writing, no locking, no settings", field="query")
        if isinstance(node, exp.Func) and _EFFECTS.match(_called(node)):
            raise InputError("calls a function that does more than read", field="query")


def _called(node: exp.Func) -> str:
    """The name of a function, without the quotes that it may be written in."""
    return node.name if isinstance(node, exp.Anonymous) else node.sql_name()
