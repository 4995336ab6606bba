#!/bin/sh
# Writes docker/.env with new random passwords, readable by its owner alone. Of an existing one nothing is changed: what a newer
# release needs beside it is added (another REDACTION_KEY would mean learning anew).
set -eu
file="$(dirname "$0")/.env"
secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
umask 077
# each setting with what it is for
settings() {
  cat <<'SETTINGS'
CLICKHOUSE_PASSWORD=$(secret)
CLICKHOUSE_CONSOLE_PASSWORD=$(secret)
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
# off, simulate or enforce; empty: off
RESPONSE_MODE=
# who may ask for decisions, as YAML in one line: [{name: firewall, key: "…", uses: [bouncer]}]
RESPONSE_KEYS=
LOG_LEVEL=info
SETTINGS
}

added=''
if [ -e "$file" ]; then
  verb='completed'
  # the last line may lack its end
  [ -z "$(tail -c 1 "$file")" ] || echo >>"$file"
else
  verb='written'
  echo '# Secrets and settings of docker-compose.yml; never commit this file.' >"$file"
fi
comment=''
while IFS= read -r line; do
  case "$line" in
    '#'*) comment="$line" && continue ;;
  esac
  name="${line%%=*}"
  # a secret that is empty is none
  case "$line" in
    *'=$(secret)') line="$name=$(secret)" value='[[:space:]]*[^[:space:]]' ;;
    *) value='' ;;
  esac
  if ! grep -Eq "^[[:space:]]*(export[[:space:]]+)?$name[[:space:]]*=$value" "$file"; then
    [ -z "$comment" ] || echo "$comment" >>"$file"
    echo "$line" >>"$file"
    added="$added $name"
  fi
  comment=''
done <<LINES
$(settings)
LINES

if [ -z "$added" ]; then
  echo "$file has all that is needed, nothing was changed"
elif [ "$verb" = written ]; then
  echo "$file written"
else
  echo "$file kept, and completed with:$added"
fi
