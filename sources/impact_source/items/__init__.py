"""Items of actions: a queue that is read as the hourly limit allows."""
