"""Items and their queue."""
