"""`impact corrections apply`: sends planned calls once, and follows them until their outcome is known."""
