"""What holds of every warehouse that runs load into."""
