"""A lake: copies of many accounts' warehouses in shared Delta Lake tables, for readers on many machines.

Each account's warehouse, a DuckDB file or a Postgres database, holds the only state. Publishing compares each table
with the account's rows in the lake, by key and by a hash that the lake keeps of each row, and writes the difference,
deletions included, in one Delta commit.

Why is dlt's filesystem destination with Delta tables not the warehouse itself? Its merge only upserts, so vanished
items would stay. Cursors would land apart from their rows, no version could be kept by the transaction that replaces
it, and every look-up of the source would scan object storage. A lake derived from a warehouse needs no state: a killed
publish, a restored warehouse and a deleted lake are the same case, and the next comparison fixes all three.

All accounts share the tables, partitioned by the column `account`. A merge names its account as a literal, so that
Delta's conflict check lets other accounts commit at the same time. A real conflict (two accounts add a column at once)
is compared and written again.
"""
