"""An embedded or an external Redis for the local stack."""
