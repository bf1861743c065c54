"""`impact close`: a month's figures, frozen for ever."""
