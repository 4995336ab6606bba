/**
 * Cuts PostgreSQL's frontend protocol (PostgreSQL manual, "Message Formats") into units that must run without another
 * connection in between. PGlite is one backend: between Parse and Sync of one client, a Parse of another one replaces the
 * unnamed statement. `@electric-sql/pglite-socket` queues message by message, so we cut at Sync ourselves.
 */

const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const CANCEL_REQUEST = 80_877_102;
const SYNC = 0x53;
const QUERY = 0x51;
const TERMINATE = 0x58;

export type Unit =
  | { readonly kind: 'startup' | 'query'; readonly bytes: Uint8Array }
  /** The client asks for encryption: answer `N`. */
  | { readonly kind: 'encryption' }
  | { readonly kind: 'end' };

export interface FrameReader {
  /** Takes bytes of the connection; gives the units that are now complete. */
  push(chunk: Uint8Array): Unit[];
}

export function createFrameReader(): FrameReader {
  let held: Uint8Array = new Uint8Array(0);
  let unit: Uint8Array[] = [];
  let started = false;
  return {
    push(chunk) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const units: Unit[] = [];
      for (;;) {
        const view = new DataView(held.buffer, held.byteOffset, held.length);
        if (!started) {
          if (held.length < 8 || held.length < view.getInt32(0)) return units;
          const length = view.getInt32(0);
          const code = view.getInt32(4);
          const bytes = held.subarray(0, length);
          held = held.subarray(length);
          if (code === SSL_REQUEST || code === GSS_REQUEST) units.push({ kind: 'encryption' });
          else if (code === CANCEL_REQUEST) units.push({ kind: 'end' });
          else {
            started = true;
            units.push({ kind: 'startup', bytes });
          }
          continue;
        }
        if (held.length < 5) return units;
        const length = 1 + view.getInt32(1);
        if (held.length < length) return units;
        const type = held[0];
        unit.push(held.subarray(0, length));
        held = held.subarray(length);
        if (type === TERMINATE) {
          units.push({ kind: 'end' });
          unit = [];
        } else if (type === SYNC || type === QUERY) {
          units.push({ kind: 'query', bytes: unit.length === 1 ? unit[0]! : Buffer.concat(unit) });
          unit = [];
        }
      }
    },
  };
}
