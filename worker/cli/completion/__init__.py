"""falhook completion: what Tab completes, and the script that a shell reads."""
