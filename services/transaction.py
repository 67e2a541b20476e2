"""One verb, one transaction."""

from models.database import Transaction, engine


def transaction() -> Transaction:
    """`async with transaction():` — everything or nothing, on one connection. Refuses to nest.

    No network call, no rendering and no `gather` inside: locks are held. Tell the world after it.
    """
    return engine().transaction()
