"""The worker: `python -m tasks.worker`. arq is the alarm clock; losing Redis loses nothing but a little time."""

from typing import Any, ClassVar

from arq import cron, func, run_worker
from arq.connections import ArqRedis, RedisSettings
from arq.cron import CronJob

import settings as configuration
from models import database
from services import gateway, links, live, mail, pace
from services.logs import set_up_logs
from services.stripe_gateway import StripeGateway
from tasks import jobs


async def start_up(context: dict[str, Any]) -> None:
    settings: configuration.Settings = context["settings"]
    redis: ArqRedis = context["redis"]
    await database.open_pool(settings.pool_size)
    links.use_keys(settings.secret_keys)
    live.connect(redis)
    pace.use_rate(settings.stripe_calls_per_second)
    mail.set_up(smtp_url=settings.smtp_url, sender=settings.mail_from, base_url=settings.base_url)
    gateway.use(
        StripeGateway(
            secret_key=settings.stripe_secret_key,
            api_base=settings.stripe_api_base,
            webhook_secrets=settings.stripe_webhook_secrets,
        )
    )


async def shut_down(context: dict[str, Any]) -> None:
    await gateway.current().close()
    await database.close_pool()


def every(seconds: int, job: Any) -> CronJob:
    return cron(job, second=set(range(0, 60, seconds)))


class WorkerSettings:
    functions: ClassVar = [
        jobs.expire_holds,
        jobs.handle_notices,
        jobs.drain_outbox,
        jobs.reconcile,
        jobs.follow_refunds,
        func(jobs.compare_now, timeout=3600),  # type: ignore[arg-type]
    ]
    cron_jobs: ClassVar = [
        every(1, jobs.expire_holds),
        every(2, jobs.drain_outbox),
        every(10, jobs.handle_notices),
        every(10, jobs.reconcile),
        every(10, jobs.follow_refunds),
        # Asked every ten minutes whether a day has passed: a worker that was away at night makes up for it.
        cron(jobs.compare, minute=set(range(0, 60, 10)), timeout=3600, run_at_startup=True),  # type: ignore[arg-type]
    ]
    on_startup = start_up
    on_shutdown = shut_down
    poll_delay = 0.05  # a ring is heard within 50 ms, at 2 % of a core
    keep_result = 0  # with a kept result the same ring would be ignored for an hour
    # Longer than a job takes new pieces, and its last one lasts (services/lanes.py). A killed worker's job is run again
    # 10 s after this.
    job_timeout = 60
    max_tries = 1
    health_check_interval = 5


def main() -> None:
    settings = configuration.load()
    set_up_logs()
    run_worker(
        WorkerSettings,  # type: ignore[arg-type]
        redis_settings=RedisSettings.from_dsn(settings.redis_url),
        ctx={"settings": settings},
    )


if __name__ == "__main__":
    main()
