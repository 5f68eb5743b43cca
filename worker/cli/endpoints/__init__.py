"""falhook endpoints: who is told of jobs by signed webhooks."""
