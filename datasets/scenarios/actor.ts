/** One client of a scenario: a connection from its own address, a session when it signs in, and a record of what it sent. */
import { type ClientAnswer, type ClientConnection, createClientConnection } from '../load/connection.ts';
import { accountEmail, accountPassword } from '../shop/database/schema.ts';

export interface Request {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly abortAfterMs?: number;
}

export interface Actor {
  readonly address: string;
  /** Sends an ordinary request: not counted to the scenario. */
  prepare(request: Request): Promise<ClientAnswer>;
  /** Sends a request that is the scenario. */
  act(request: Request): Promise<ClientAnswer>;
  signIn(account: number): Promise<void>;
  /** Time of the first act(), milliseconds since the epoch; 0 before. */
  readonly firstMs: number;
  readonly lastMs: number;
  readonly requests: number;
  readonly traceIds: readonly string[];
  close(): void;
}

export interface ActorOptions {
  readonly edgePort: number;
  readonly address: string;
  readonly headers?: Readonly<Record<string, string>>;
  nowMs(): number;
}

const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

export function createActor(options: ActorOptions): Actor {
  const connection: ClientConnection = createClientConnection(options);
  const base: Record<string, string> = { 'user-agent': USER_AGENT, 'x-channel': 'web', ...options.headers };
  const traceIds: string[] = [];
  let firstMs = 0;
  let lastMs = 0;
  let requests = 0;
  const send = (request: Request): Promise<ClientAnswer> =>
    connection.send({ ...request, headers: { ...base, ...request.headers } });
  return {
    address: options.address,
    prepare: send,
    async act(request) {
      if (firstMs === 0) firstMs = options.nowMs();
      requests++;
      const answer = await send(request);
      lastMs = options.nowMs();
      const traceId = answer.headers['x-trace-id'];
      if (typeof traceId === 'string') traceIds.push(traceId);
      return answer;
    },
    async signIn(account) {
      const body = { email: accountEmail(account), password: accountPassword(account) };
      const answer = await send({ method: 'POST', path: '/login', body });
      const token = (answer.body as { token?: string } | null)?.token;
      if (token === undefined) throw new Error(`account ${account} could not sign in: status ${answer.status}`);
      base.authorization = `Bearer ${token}`;
    },
    get firstMs() {
      return firstMs;
    },
    get lastMs() {
      return lastMs;
    },
    get requests() {
      return requests;
    },
    traceIds,
    close: () => connection.close(),
  };
}
