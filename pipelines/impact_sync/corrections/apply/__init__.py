"""`impact corrections apply`: planned calls are sent once, and followed until their outcome is known."""
