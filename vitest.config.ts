/** Three kinds of test: unit (no I/O), functional (real log, real ClickHouse), e2e (the processes). */
import { defineConfig } from 'vitest/config';

const project = (name: string, testTimeout: number) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout },
});

export default defineConfig({
  test: {
    projects: [project('unit', 60_000), project('functional', 120_000), project('e2e', 300_000)],
    maxWorkers: 2,
    globalSetup: 'test/kafka/shared-broker.ts',
  },
});
