/** Stock (gRPC). */
import { openDatabase } from '../database.ts';
import { grpc } from '../instrumented.ts';
import type { StartService } from '../main.ts';
import { RpcFailure, serveRpc } from '../rpc.ts';

export const startService: StartService = async ({ others }) => {
  const database = others.then((ports) => openDatabase(ports, 'shop'));
  return serveRpc('inventory', {
    async GetStock({ product }) {
      const { rows } = await (await database).query<{ quantity: number }>(
        'select quantity from stock where product_id = $1',
        [product],
      );
      if (rows[0] === undefined) throw new RpcFailure(grpc.status.NOT_FOUND, 'no such product');
      return rows[0];
    },
    async Reserve({ product, quantity }) {
      const { rows } = await (await database).query<{ left: number }>(
        'update stock set quantity = quantity - $2 where product_id = $1 and quantity >= $2 returning quantity as left',
        [product, quantity],
      );
      if (rows[0] === undefined) throw new RpcFailure(grpc.status.FAILED_PRECONDITION, 'sold out');
      return rows[0];
    },
    async Restock({ products, quantity }) {
      const { rowCount } = await (await database).query(
        'update stock set quantity = quantity + $2 where product_id = any($1::int[]) and quantity > 0',
        [products, quantity],
      );
      return { changed: rowCount ?? 0 };
    },
  });
};
