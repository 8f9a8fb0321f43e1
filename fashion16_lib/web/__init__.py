"""Fig 5: the page, and the service behind it."""
