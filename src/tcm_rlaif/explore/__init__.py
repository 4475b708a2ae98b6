"""Looking into a finished study: its answers, its models asked again, its judge at work on one's own words."""
