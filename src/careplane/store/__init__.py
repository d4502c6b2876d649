"""The one operational database: tables, migrations, queries.

``open_store(url)`` gives a :class:`Store`; reads and writes run on short transactions over SQLAlchemy Core. A frozen
record is kept whole as JSON in the column ``body``; the columns beside it exist to be searched.
"""

from careplane.store.database import Store, open_store
from careplane.store.rows import count, fetch, find, insert_new, save, stamp

__all__ = ["Store", "count", "fetch", "find", "insert_new", "open_store", "save", "stamp"]
