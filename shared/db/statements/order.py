"""The order in which jobs ended, for whoever reads on: by the number of the transaction that ended each.

PostgreSQL counts transactions within a cluster, so a dump that is restored into a new one finds the count begun anew:
what ends next would come before what was read. `go_on` notices that and lets the numbers go on from the highest one
that was given; cursors and watermarks stay true, and no job is written again.
"""

from sqlalchemy import TextClause, text

# A transaction below the horizon has ended, so nothing can appear before a cursor that was handed out.
HORIZON = "(pg_snapshot_xmin(pg_current_snapshot())::text::bigint + (SELECT added FROM transaction_count))"

# What is seen was committed before this snapshot was taken, so in one cluster its number is always below xmax.
_GO_ON = text(
    """
    UPDATE transaction_count SET added = last.ended_in + 1
    FROM (SELECT max(ended_in) AS ended_in FROM jobs) AS last
    WHERE last.ended_in >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint + added
    """
)


def go_on() -> TextClause:
    """Continue the count of another cluster; changes a row when the database was restored from one, else none."""
    return _GO_ON
