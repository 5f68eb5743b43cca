"""The operations of the API, one file of them each."""
