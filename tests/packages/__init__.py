"""What is installed: the wheel, the source copied alone, and what only some commands need."""
