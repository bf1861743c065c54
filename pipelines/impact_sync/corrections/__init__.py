"""Corrections: from the warehouse back to impact.com, sent once.

`plan` reads and checks what is asked for and stores it in the journal; `apply` sends it, follows it up and brings what
became of it into the warehouse; `status` tells, `resolve` takes a person's word. The journal is the table
`corrections`; a file beside the database remembers what left, should the database be put back to an older copy.
"""
