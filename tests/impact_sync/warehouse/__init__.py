"""What holds for every warehouse that runs load into."""
