#!/bin/sh
# Run once by the image of PostgreSQL, on an empty database: the role that serves. `permgate migrate` gives it its rights.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v password="$(cat /run/secrets/gateway_password)" <<'SQL'
CREATE ROLE permgate_gateway LOGIN PASSWORD :'password';
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
