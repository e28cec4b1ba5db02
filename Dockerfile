# The gateway in a container: every file that is installed by its hash; run by somebody who owns nothing but /data.
#
#   docker build -t permgate .
#   docker run --rm -v permgate:/data permgate owner olga      once: prints the first token
#   docker run -d --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -p 8000:8000 -v permgate:/data permgate
#
# compose.example.yaml shows it with PostgreSQL, two replicas and a proxy.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY docs/deploy/build.lock docs/deploy/runtime.lock docs/deploy/
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r docs/deploy/build.lock \
    && python3 -m venv /opt/permgate \
    && /opt/permgate/bin/pip install --no-cache-dir --require-hashes -r docs/deploy/runtime.lock
COPY . .
RUN /opt/build/bin/pip wheel --no-cache-dir --no-build-isolation --no-deps -w /wheels . \
    && /opt/permgate/bin/pip install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && /opt/permgate/bin/python -m compileall -q /opt/permgate/lib

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin permgate \
    && install --directory --owner=permgate --mode=0700 /data
COPY --from=build /opt/permgate /opt/permgate
ENV PATH=/opt/permgate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PERMGATE_DATABASE_URL=sqlite+aiosqlite:////data/permgate.db
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Told to stop it drains for PERMGATE_DRAIN_SECONDS and gives calls 20 s to end: give it 30 before it is killed.
STOPSIGNAL SIGTERM
# Liveness, not readiness: a container that is started anew does not mend a database.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
ENTRYPOINT ["permgate"]
CMD ["serve", "--host", "0.0.0.0"]
