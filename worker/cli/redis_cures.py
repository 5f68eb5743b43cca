"""What to do about a refusal of Redis (webhook/redis/errors.py), by its code."""

CURE = "wait until Redis takes writes again, or correct the setting"
CURES = {
    "READONLY": "it is a replica: name the primary, or wait until the failover is over",
    "UNBLOCKED": "wait until the failover is over",
    "MASTERDOWN": "it is a replica without its primary: name the primary, or wait",
    "NOREPLICAS": "wait until its replicas are back, or lower min-replicas-to-write",
    "LOADING": "wait until it has loaded its data",
    "MISCONF": "make room on its disk, or see its log",
    "OOM": "give it more memory (maxmemory)",
    "BUSY": "wait until its script has ended",
    "CLUSTERDOWN": "wait until the cluster is complete",
    "TRYAGAIN": "wait until the cluster has moved its slots",
    "max number of clients": "raise its maxclients, or stop clients that you do not need",
}
