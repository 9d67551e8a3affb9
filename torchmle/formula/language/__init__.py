"""What a formula says: its grammar, its expressions, the names in them."""
