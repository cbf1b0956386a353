"""Commands on policies, prices and their history. No other command imports them."""
