# The image of a server: web, worker and commands are the same files with different commands (docker-compose.yml).
# The checkout is what is deployed; there is no wheel, which would lose templates and static files.
FROM python:3.11-slim-bookworm AS packages

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
COPY requirements.txt /requirements.txt
RUN python -m venv /opt/foyer \
    && /opt/foyer/bin/python -m pip install --no-deps --only-binary :all: --require-hashes --requirement /requirements.txt


FROM python:3.11-slim-bookworm

# PYTHONPATH before everything else: the names of our packages (web, tasks, models) are common ones.
ENV PATH=/opt/foyer/bin:$PATH \
    PYTHONPATH=/srv/foyer \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2

RUN groupadd --gid 10001 foyer \
    && useradd --no-log-init --uid 10001 --gid foyer --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin foyer

COPY --from=packages /opt/foyer /opt/foyer
WORKDIR /srv/foyer
# .dockerignore is a list of what comes in, not of what stays out.
COPY . .
# Compiled now, because the file system is read-only later.
RUN python -m compileall -q .

USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["/srv/foyer/deploy/entrypoint"]
CMD ["uvicorn", "web.app:create_app", "--factory", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--proxy-headers", "--timeout-graceful-shutdown", "10", "--no-access-log", "--no-server-header"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "deploy/healthy.py", "web"]
