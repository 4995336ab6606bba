/** Calls to another service over HTTP, on kept connections. */
import { http } from './instrumented.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface HttpCaller {
  /** Resolves with any status; rejects when there was no answer. */
  call(method: string, path: string, options?: CallOptions): Promise<HttpAnswer>;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const TIMEOUT_MS = 15_000;

export function createHttpCaller(port: number): HttpCaller {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 32, maxFreeSockets: 32 });
  return {
    call: (method, path, options = {}) =>
      new Promise((resolve, reject) => {
        const text = options.body === undefined ? undefined : JSON.stringify(options.body);
        const headers: Record<string, string | number> = { ...options.headers };
        if (text !== undefined) {
          headers['content-type'] = 'application/json';
          headers['content-length'] = Buffer.byteLength(text);
        }
        const request = http.request(
          { host: '127.0.0.1', port, method, path, agent, headers, timeout: TIMEOUT_MS },
          (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('error', reject);
            response.on('end', () =>
              resolve({ status: response.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString('utf8')) }),
            );
          },
        );
        request.on('timeout', () => request.destroy(new Error('timed out')));
        request.on('error', reject);
        request.end(text);
      }),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
