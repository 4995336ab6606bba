#!/bin/sh
# Writes docker/.env with new random passwords, readable by its owner alone. An existing one is left as it is.
set -eu
file="$(dirname "$0")/.env"
if [ -e "$file" ]; then
  echo "$file exists: remove it to get new passwords (ClickHouse and Grafana keep the old ones in their volumes)" >&2
  exit 1
fi
secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
umask 077
cat >"$file" <<ENV
# Secrets and settings of docker-compose.yml; never commit this file.
CLICKHOUSE_PASSWORD=$(secret)
CLICKHOUSE_READER_PASSWORD=$(secret)
GRAFANA_PASSWORD=$(secret)
# what requests to the console must carry
CONSOLE_TOKEN=$(secret)
# what values are hashed with: changing it means learning anew
REDACTION_KEY=$(secret)

# your own proxies and load balancers, as CIDR ranges: without them nobody behind a proxy can be named
TRUSTED_PROXIES=
# production (hours until alerts) or demo (minutes, small systems); empty: production
LEARNING_PROFILE=
# signed webhooks, as YAML in one line: [{name: on-call, url: "https://…", secret: "whsec_…"}]
ALERT_DESTINATIONS=
LOG_LEVEL=info
ENV
echo "$file written"
