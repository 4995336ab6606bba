/** Readiness: ready when every registered check says so; names what is not. */

/** True = ready; false or a text (why not, for people) = not ready. A check that throws is not ready. */
export type ReadinessCheck = () => boolean | string | Promise<boolean | string>;

export interface ReadinessState {
  readonly ready: boolean;
  /** What is not ready, and why. */
  readonly waiting: readonly { readonly name: string; readonly reason: string }[];
}

export interface Readiness {
  /** Registers a check; returns how to take it away. With no check at all a server is ready. */
  register(name: string, check: ReadinessCheck): () => void;
  check(): Promise<ReadinessState>;
}

export interface ReadinessConfig {
  /** A check that takes longer counts as not ready. */
  readonly timeoutMs: number;
}

async function reasonOf(check: ReadinessCheck, timeoutMs: number): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${timeoutMs} ms`), timeoutMs);
  });
  try {
    const said = await Promise.race([check(), late]);
    if (said === true) return null;
    return said === false ? 'not ready' : said;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}

export function createReadiness(config: ReadinessConfig = { timeoutMs: 2_000 }): Readiness {
  const checks = new Map<string, ReadinessCheck>();
  return {
    register(name, check) {
      checks.set(name, check);
      return () => {
        if (checks.get(name) === check) checks.delete(name);
      };
    },
    async check() {
      const names = [...checks.keys()];
      const reasons = await Promise.all(names.map((name) => reasonOf(checks.get(name)!, config.timeoutMs)));
      const waiting: { name: string; reason: string }[] = [];
      for (let i = 0; i < names.length; i++) {
        const reason = reasons[i];
        if (reason !== null && reason !== undefined) waiting.push({ name: names[i]!, reason });
      }
      return { ready: waiting.length === 0, waiting };
    },
  };
}
