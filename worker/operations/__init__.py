"""What callers can ask for: create jobs, one or many, retry them, cancel them."""
