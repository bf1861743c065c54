"""Items from the change feed: `action_updates` added up, where that is proven to say what the lists of items say."""
