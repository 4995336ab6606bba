// Whether the role in this container is ready: exit code 0 or 1. What the image's health check runs; small, as it runs often.
const port = process.env.SPANWARDEN_HTTP_PORT || 9464;
fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(4_000) }).then(
  async (answer) => {
    process.stdout.write(await answer.text());
    process.exitCode = answer.ok ? 0 : 1;
  },
  (error) => {
    process.stdout.write(String(error.cause ?? error));
    process.exitCode = 1;
  },
);
