"""The catalogue's data, one TOML table per endpoint, and what reads it.

choices.toml   long lists of values
fields.toml    inputs that endpoints share, and nested types
families.toml  what several endpoints have in common
prices.toml    rates with their source and confidence
kling*.toml    the endpoints
"""
