"""What an owner does with keys in hand: put, get, list; it speaks to the home's node."""
