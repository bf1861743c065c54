"""What surrounds the actions: company, partners, groups, contracts, inquiries and invoices, read at most once a day."""
