"""Answers a container's health check: `python deploy/healthy.py web|worker`. Exit code 0 is healthy."""

import os
import sys
import urllib.request

# arq keeps this key alive while its loop turns (WorkerSettings.health_check_interval).
WORKER_KEY = "arq:queue:health-check"


def web() -> bool:
    """Only that the process answers: a database in trouble is not healed by restarting the web."""
    with urllib.request.urlopen("http://127.0.0.1:8000/health/live", timeout=3) as answer:
        return bool(answer.status == 200)


def worker() -> bool:
    import redis

    with redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=3) as client:
        return bool(client.exists(WORKER_KEY))


def main(part: str) -> None:
    try:
        healthy = {"web": web, "worker": worker}[part]()
    except Exception as problem:
        sys.exit(f"{part}: {problem}")
    sys.exit(0 if healthy else f"{part}: no sign of life")


if __name__ == "__main__":
    main(sys.argv[1])
