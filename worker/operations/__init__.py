"""Operations of callers: create jobs, one or many, retry them, cancel them."""
