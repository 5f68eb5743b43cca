"""The OpenAPI document, made from the operations that the router serves."""
