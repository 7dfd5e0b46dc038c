"""Coverage: how much of what should come does come; per day and series, and now per town and kind."""
