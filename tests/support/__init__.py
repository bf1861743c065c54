"""What tests share: accounts with a sandbox and a warehouse, commands in processes of their own, Postgres."""
