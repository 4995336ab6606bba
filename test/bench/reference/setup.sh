#!/bin/sh
# Builds the reference Collector (and telemetrygen, an OTLP client that is not ours) with Go 1.25 or newer:
#   test/bench/reference/setup.sh DIR
# gives DIR/bin/otelcol and DIR/bin/telemetrygen; then REFERENCE_COLLECTOR=DIR names them. Some minutes at first.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
command -v go >/dev/null || { echo "$0: Go is not installed" >&2; exit 1; }
recipe=$(cd "$(dirname "$0")" && pwd)/builder.yaml
version=v0.161.0
mkdir -p "$1/bin"
cd "$1"
GOBIN=$(pwd)/bin
export GOBIN
[ -x bin/builder ] || go install "go.opentelemetry.io/collector/cmd/builder@$version"
[ -x bin/telemetrygen ] ||
  go install "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@$version"
if [ ! -x bin/otelcol ]; then
  rm -rf source
  # The builder's own `go mod tidy` also wants the modules of its components' tests, not all of which exist: what it
  # generated is good, and tidied here with -e.
  bin/builder --config "$recipe" --skip-compilation || [ -f source/main.go ]
  cd source
  go mod tidy -e
  go build -trimpath -ldflags='-s -w' -o ../bin/otelcol .
  cd ..
fi
ls -l bin/otelcol bin/telemetrygen
