"""Commands that start FlexiPrice's programs, watch them and print their units.

No other command imports them.
"""
