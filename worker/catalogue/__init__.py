"""What each fal endpoint accepts, returns and costs.

data/choices.toml   long lists of values
data/fields.toml    inputs that endpoints share, and nested types
data/families.toml  what several endpoints have in common
data/prices.toml    rates with their source and confidence
data/kling*.toml    the endpoints
packaged.json       all of them, complete; `make derived` writes it from the others
"""
