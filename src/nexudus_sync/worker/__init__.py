"""`nexudus-sync worker`: any number of processes on any number of machines share the connections of one store.

A tick puts into the queue what is due; any worker takes a job from it, holds the lease of the job's CRM, and runs a
cycle. The queue is disposable: what is due is always derived from the store.
"""
