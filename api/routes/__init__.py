"""The routes of the API: each file has the operations of one resource."""
