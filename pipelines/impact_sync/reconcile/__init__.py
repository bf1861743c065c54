"""`impact reconcile`: the user's own orders against the actions.

`given` reads orders and items, the SQL files compare them with the warehouse in a temporary DuckDB file, `ledger` keeps
what was found, `corrections` makes a plan of what can be corrected. Nothing is sent to impact.com.
"""
