#!/bin/sh
# Run once by the Postgres image, as its superuser: the role that the service runs as, which row-level security binds.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\getenv password CLAVIS_RUNTIME_PASSWORD
create role clavis login password :'password';
SQL
