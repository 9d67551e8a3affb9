"""From a model and its rows to a maximum: coordinates, restrictions, starts, the search, infinite estimates."""
