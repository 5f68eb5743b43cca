"""falhook submit: create one job from flags and files, or many from a file of jobs."""
