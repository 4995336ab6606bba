/** The parameters model as data: what a version publishes, before scoring tables are built from it. */
import type { Maturity } from '../model.ts';
import type { ProfileData } from './profile.ts';

/** Parameter names of an operation's requests: sets, order, single names. Keys are SchemaKind keys, ascending. */
export interface SchemaCounts {
  total: number;
  other: number;
  bound: number;
  keys: number[];
  counts: number[];
}

export interface OperationData {
  readonly label: string;
  readonly service: string;
  readonly operation: string;
  n: number;
  clients: number;
  buckets: number;
  quarantined: number;
  state: Maturity;
  /** False when a cap cut calls off in learning. */
  complete: boolean;
  sets: SchemaCounts;
  orders: SchemaCounts;
  names: SchemaCounts;
  profiles: ProfileData[];
}

export interface ServiceData {
  readonly service: string;
  n: number;
  buckets: number;
  state: Maturity;
  /** False when a cap cut calls off in learning: then what is not listed may still be known, and nothing is certain. */
  complete: boolean;
  /** Admitted egress classes: form key and text (`public:name` for names), keys ascending. */
  egress: (readonly [number, string])[];
  /** Registrable domains of public names, as template keys, ascending. */
  domains: number[];
  /** Admitted statement skeletons of the service, form keys ascending. */
  statements: number[];
  /** Statements seen too rarely to be admitted, by more than one client. */
  pending: number[];
  /** Of the admitted, the ones on sensitive tables. */
  sensitive: number[];
}

export interface ModelData {
  /** Ascending by label. */
  operations: OperationData[];
  /** Ascending by name. */
  services: ServiceData[];
}
