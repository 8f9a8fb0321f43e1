"""For people: pictures of garments and codes, diagrams, charts, tables, and a notebook's place in the results."""
