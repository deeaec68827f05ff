"""Which protections to buy: the cheapest that keep what people asked and what the rules impose."""
