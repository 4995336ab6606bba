/**
 * Payments (gRPC). Test cards decide what happens, as with real payment providers: `tok_declined…` is refused,
 * `tok_busy_N` answers UNAVAILABLE to the first N attempts.
 */
import { openDatabase } from '../database.ts';
import { grpc } from '../instrumented.ts';
import type { StartService } from '../main.ts';
import { RpcFailure, serveRpc } from '../rpc.ts';

const { status } = grpc;
const BUSY = /^tok_busy_(\d+)/;

export const startService: StartService = async ({ others }) => {
  const database = others.then((ports) => openDatabase(ports, 'shop'));
  return serveRpc('payment', {
    async Charge({ order, account, cents, card, attempt }) {
      const busy = BUSY.exec(card);
      if (busy !== null && attempt <= Number(busy[1])) throw new RpcFailure(status.UNAVAILABLE, 'the bank is busy');
      if (card.startsWith('tok_declined')) throw new RpcFailure(status.FAILED_PRECONDITION, 'declined');
      const { rows } = await (await database).query<{ payment: number }>(
        'insert into payments (order_key, account_id, cents, card) values ($1, $2, $3, $4) returning id as payment',
        [order, account, cents, card],
      );
      return rows[0]!;
    },
    async ListCards({ account }) {
      const { rows } = await (await database).query<{ card: string }>(
        'select distinct card from payments where account_id = $1',
        [account],
      );
      return { cards: rows.map((row) => row.card) };
    },
  });
};
