"""A lake: the warehouses of many accounts, kept once more as Delta Lake tables for whoever reads with many machines.

Each account's warehouse stays what it is, a DuckDB file or a Postgres database that `impact sync` keeps true, and is
the only memory. Publishing makes the lake say the same: it compares each table with what the lake holds of the account,
by key and by a hash of the row that the lake keeps, and writes the difference in one Delta commit, deletions included.

Why not dlt's filesystem destination with Delta tables, as the warehouse itself? Its merge only upserts: items that
vanished would stay. Cursors would land apart from their rows, no history could be closed in a transaction, and each
look-up of the source would scan object storage. Derived from a warehouse, the lake needs no state of its own: a killed
publish, a restored warehouse and a lake that was deleted are all the same case, mended by the next comparison.

All accounts share the tables, parted by the column `account`. A merge names its account in so many words, so that
Delta's conflict check lets those of other accounts commit beside it; what does conflict (two accounts that bring a new
column at once) is compared and written again.
"""
