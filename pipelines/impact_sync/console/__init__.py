"""What every command shares: screen, logs, exit codes, signals. It knows no command."""
