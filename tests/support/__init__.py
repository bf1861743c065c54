"""What tests share: accounts with a sandbox and a warehouse, commands in their own processes, Postgres."""
