/** Accounts, sessions and permissions (gRPC). */
import { randomUUID } from 'node:crypto';
import { openDatabase } from '../database.ts';
import { grpc } from '../instrumented.ts';
import { openPublisher } from '../jobs/open.ts';
import type { StartService } from '../main.ts';
import { RpcFailure, serveRpc } from '../rpc.ts';

const { status } = grpc;

export const startService: StartService = async ({ others, kafka }) => {
  const database = others.then((ports) => openDatabase(ports, 'shop'));
  const jobs = await openPublisher(kafka, 'auth', database);
  const server = await serveRpc('auth', {
    async Login({ email, password }) {
      const db = await database;
      const { rows } = await db.query<{ id: number; role: string; password: string }>(
        'select id, role, password from accounts where email = $1',
        [email],
      );
      const account = rows[0];
      if (account === undefined || account.password !== password) {
        throw new RpcFailure(status.UNAUTHENTICATED, 'wrong e-mail or password');
      }
      const token = randomUUID();
      await db.query('insert into sessions (token, account_id) values ($1, $2)', [token, account.id]);
      return { token, account: account.id, role: account.role };
    },
    async CheckSession({ token }) {
      const { rows } = await (await database).query<{ account: number; role: string }>(
        'select a.id as account, a.role from sessions s join accounts a on a.id = s.account_id where s.token = $1',
        [token],
      );
      const session = rows[0];
      if (session === undefined) throw new RpcFailure(status.UNAUTHENTICATED, 'no such session');
      return session;
    },
    async Authorize({ account, action, order }) {
      const db = await database;
      const { rows } = await db.query<{ role: string; blocked: boolean }>(
        'select role, blocked from accounts where id = $1',
        [account],
      );
      const found = rows[0];
      if (found === undefined || found.blocked) throw new RpcFailure(status.PERMISSION_DENIED, `${action} refused`);
      if (order !== undefined && found.role !== 'staff') {
        const owner = await db.query<{ account_id: number }>('select account_id from orders where id = $1', [order]);
        if (owner.rows[0]?.account_id !== account) {
          throw new RpcFailure(status.PERMISSION_DENIED, `${action} refused`);
        }
      }
      return { allowed: true };
    },
    async GetAccount({ account }) {
      const { rows } = await (await database).query<{ email: string; avatar: string | null; card: string }>(
        'select email, avatar, card from accounts where id = $1',
        [account],
      );
      if (rows[0] === undefined) throw new RpcFailure(status.NOT_FOUND, 'no such account');
      return rows[0];
    },
    async SetAvatar({ account, url }) {
      return { job: await jobs.publish('avatars', account, { account, url }) };
    },
  });
  return {
    port: server.port,
    async stop() {
      await server.stop();
      await jobs.stop();
    },
  };
};
