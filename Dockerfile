# The gateway in a container: installed as README.md does it, run by somebody who owns nothing but /data.
#
#   docker build -t permgate .
#   docker run --rm -it -v permgate:/data permgate owner olga      once: prints the first token
#   docker run -d -p 8000:8000 -v permgate:/data permgate

FROM python:3.11-slim AS build
WORKDIR /src
COPY . .
RUN python3 -m venv /opt/permgate && /opt/permgate/bin/pip install --no-cache-dir -c requirements.lock .

FROM python:3.11-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin permgate \
    && install --directory --owner=permgate --mode=0700 /data
COPY --from=build /opt/permgate /opt/permgate
ENV PATH=/opt/permgate/bin:$PATH \
    PERMGATE_DATABASE_URL=sqlite+aiosqlite:////data/permgate.db
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Liveness, not readiness: a container that is started anew does not mend a database.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
ENTRYPOINT ["permgate"]
CMD ["serve", "--host", "0.0.0.0"]
