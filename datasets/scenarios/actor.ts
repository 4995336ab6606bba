/** One client of a scenario: a connection from its own address, a session when it signs in, and a record of what it sent. */
import { type ClientAnswer, type ClientConnection, createClientConnection } from '../load/connection.ts';
import { accountEmail, accountPassword } from '../shop/database/schema.ts';

export interface Request {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Headers;
  readonly abortAfterMs?: number;
}

/** Of several values each is a header line of its own. */
export type Headers = Readonly<Record<string, string | readonly string[]>>;

export interface Actor {
  readonly address: string;
  /** Sends an ordinary request: not counted to the scenario. */
  prepare(request: Request): Promise<ClientAnswer>;
  /** Sends a request that is the scenario. */
  act(request: Request): Promise<ClientAnswer>;
  /** An attempt to sign in that is the scenario; with the right password the session is used from now on. */
  tryPassword(email: string, password: string): Promise<boolean>;
  signIn(account: number): Promise<void>;
  /** Uses this session from now on, whosever it is. */
  adopt(token: string): void;
  /** The session's token, '' when not signed in. */
  readonly token: string;
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
  readonly headers?: Headers;
  nowMs(): number;
  /** It signed in with this account. */
  onSignIn?(account: number): void;
}

const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

export function createActor(options: ActorOptions): Actor {
  const connection: ClientConnection = createClientConnection(options);
  const base: Record<string, string | readonly string[]> = {
    'user-agent': USER_AGENT,
    'x-channel': 'web',
    ...options.headers,
  };
  const traceIds: string[] = [];
  let token = '';
  let firstMs = 0;
  let lastMs = 0;
  let requests = 0;
  async function send(request: Request): Promise<ClientAnswer> {
    const answer = await connection.send({ ...request, headers: { ...base, ...request.headers } });
    const session = request.path === '/login' ? sessionOf(answer) : null;
    if (session !== null) options.onSignIn?.(session.account ?? 0);
    return answer;
  }
  async function act(request: Request): Promise<ClientAnswer> {
    if (firstMs === 0) firstMs = options.nowMs();
    requests++;
    const answer = await send(request);
    lastMs = options.nowMs();
    const traceId = answer.headers['x-trace-id'];
    if (typeof traceId === 'string') traceIds.push(traceId);
    return answer;
  }
  function adopt(session: string): void {
    token = session;
    base.authorization = `Bearer ${session}`;
  }
  /** Takes the session of an answer to a sign-in. */
  function tookSession(answer: ClientAnswer): boolean {
    const session = sessionOf(answer);
    if (session !== null) adopt(session.token);
    return session !== null;
  }
  return {
    address: options.address,
    prepare: send,
    act,
    tryPassword: async (email, password) =>
      tookSession(await act({ method: 'POST', path: '/login', body: { email, password } })),
    async signIn(account) {
      const body = { email: accountEmail(account), password: accountPassword(account) };
      const answer = await send({ method: 'POST', path: '/login', body });
      if (!tookSession(answer)) throw new Error(`account ${account} could not sign in: status ${answer.status}`);
    },
    adopt,
    get token() {
      return token;
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

/** What a sign-in that succeeded is answered with. */
function sessionOf({ body }: ClientAnswer): { readonly token: string; readonly account?: number } | null {
  const session = body as { token?: string; account?: number } | null;
  return session?.token === undefined ? null : { ...session, token: session.token };
}
