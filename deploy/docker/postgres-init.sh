#!/bin/sh
# Run by the Postgres image at its first start: the sample database, and the user that Vault makes others with.
set -eu
password="$(cat /keys/orders-password)"
psql -v ON_ERROR_STOP=1 -v password="$password" --username postgres <<'SQL'
create role orders_admin login createrole password :'password';
grant pg_signal_backend to orders_admin;
create database orders owner orders_admin;
revoke connect, temporary on database orders from public;
grant connect on database orders to public;
SQL
if [ -f /seed/orders.sql ]; then
  { echo 'set role orders_admin;'; cat /seed/orders.sql; } | psql -v ON_ERROR_STOP=1 --username postgres --dbname orders
fi
