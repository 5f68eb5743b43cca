"""The pipeline and the command line.

A room may import rooms of lower floors only (tests/repository/test_imports.py):

celery.py         `celery -A worker.celery`: reads the environment
app.py            the Celery application and its tasks
__main__.py       the command `falhook`
composition.py    the components of one process, built once from settings
cli/              the command line, one module or folder per command
startup.py        what is checked before a process starts
operations/       what callers can ask for: create jobs, one or many, retry them, cancel them
steps/            the work of each Celery task
settings/         settings of the pipeline, declared once, each with its description
transcode/        from a rendered clip to its outputs: plan, run ffmpeg, verify, tag, sign
pipeline.py       STEPS, the one table of steps; Pipeline.run takes a job through one
catalogue/        what each fal endpoint accepts, returns and costs
fal/              everything falhook sends to fal and reads from it
provenance/       C2PA content credentials: signing files and reading signatures back
api_keys/         who may use the HTTP API: keys, their scopes and their store in Redis
metrics/          metrics for Prometheus: their manifest, their fold, their page
jobs/             the job: its states, its record in Redis, the compare-and-set that changes it
broker/           Celery's side: the client, the Redis transport, heartbeats, time limits
traces/           one trace a job over OTLP, made from its history, if a setting asks
liveness/         whether a worker or beat still works, and the probe that says so
redis_age.py      whether Redis is as new as its storage saw it
storage_claim.py  which storage belongs to the jobs in Redis
storage/          object storage, its key layout, and scratch directories
formats/          media files read, tagged and rewritten without a decoder
errors.py         why a step did not do its work, and why a process cannot start
probe.py          short child processes whose exit says something about their subject
text.py           text from others: shortened, escaped for terminals, parsed as strict JSON
types.py          JSON values
version.py        the version of falhook
"""
