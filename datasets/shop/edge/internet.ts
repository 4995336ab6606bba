/** The demo's stand-in for the internet: every name under `.example` serves pictures and lists. Not instrumented, not ours. */
import { createServer, type Server } from 'node:http';

const PICTURE_BYTES = 2_048;

/** Pictures exist except under `/gone/`; `/slow/` takes a while. So do one in fifty lists and one in twenty-five. */
export function createInternet(): Server {
  const picture = Buffer.alloc(PICTURE_BYTES, 0x5a);
  const server = createServer((request, response) => {
    request.resume();
    const path = request.url ?? '/';
    if (path.startsWith('/gone/') || /^\/l\/\d*[05]7$/.test(path)) {
      response.writeHead(404).end();
      return;
    }
    const answer = (): void => {
      response.writeHead(200, { 'content-type': 'image/png', 'content-length': picture.length });
      response.end(picture);
    };
    if (path.startsWith('/slow/') || /^\/l\/\d*[2468]1$/.test(path)) setTimeout(answer, 120);
    else answer();
  });
  server.keepAliveTimeout = 60_000;
  return server;
}
