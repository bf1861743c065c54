"""Corrections: from the warehouse back to impact.com, sent once.

`plan` reads and checks the request and stores it in the journal; `apply` sends it, follows it up and reads the result
into the warehouse; `status` reports, `resolve` records a person's decision. The journal is the table `corrections`; a
file beside the database records what was sent, in case the database is restored to an older copy.
"""
