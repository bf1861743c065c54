"""Loading: the steps that every run takes around its packages, and the ledger of runs."""
