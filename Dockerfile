# Spanwarden's roles as an image: the built package and its dependencies, no embedded ClickHouse, no build tools, not root.
# What it needs at run time comes from outside: KAFKA_BROKERS, CLICKHOUSE_URL (docker-compose.yml shows all of it).

# Node as the checkout has it
FROM node:24.21.0-bookworm-slim AS base

# the package's dependencies alone
FROM base AS dependencies
WORKDIR /build
COPY package.json package-lock.json ./
COPY docker/server-manifest.mjs docker/
RUN node docker/server-manifest.mjs && npm ci --omit=dev --no-audit --no-fund

# the compiler, and what it makes
FROM base AS build
WORKDIR /build
COPY package.json package-lock.json ./
COPY docker/server-manifest.mjs docker/
RUN node docker/server-manifest.mjs && npm ci --no-audit --no-fund
COPY . .
RUN node .ci/build.mjs --no-check

FROM base
ENV NODE_ENV=production
WORKDIR /opt/spanwarden
COPY LICENSE README.md CHANGELOG.md docker/ready.mjs ./
COPY --from=dependencies /build/package.json ./
COPY --from=dependencies /build/node_modules node_modules
COPY --from=build /build/dist dist
# where an embedded log would be; with Kafka nothing is written, and the root file system may be read-only
RUN install --directory --owner=1000 --group=1000 /var/lib/spanwarden
WORKDIR /var/lib/spanwarden
# by number, so that an orchestrator can see that it is not root; `node` in the image
USER 1000:1000
EXPOSE 4317 4318 9464 9465 9466
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
  CMD ["node", "/opt/spanwarden/ready.mjs"]
ENTRYPOINT ["node", "/opt/spanwarden/dist/cli/bin.mjs"]
CMD ["run"]
