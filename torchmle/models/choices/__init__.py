"""Models of categories: two, several, ordered, or chosen within groups."""
