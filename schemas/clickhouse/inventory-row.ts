/** What the inventory is told (040_operations.sql, 041_edges.sql, 042_inventory_calls.sql). */

export interface OperationSeen {
  readonly service: string;
  /** `Server`, `Client`, … as in otel_traces. */
  readonly kind: string;
  readonly operation: string;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Services that called it; '' = from outside. */
  readonly callers: readonly string[];
  readonly exposed: boolean;
  /** service.version values. */
  readonly versions: readonly string[];
}

export interface EdgeSeen {
  readonly callerService: string;
  readonly callerOperation: string;
  readonly service: string;
  readonly operation: string;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Calls of one hour of log-append time, counted so far by the owner of the partition: a total, not an increment. */
export interface CallCount {
  readonly hourMs: number;
  readonly partition: number;
  readonly callerService: string;
  readonly callerOperation: string;
  readonly service: string;
  readonly kind: string;
  readonly operation: string;
  readonly calls: number;
  readonly errors: number;
}

export interface InventoryRows {
  readonly operations: readonly OperationSeen[];
  readonly edges: readonly EdgeSeen[];
  readonly calls: readonly CallCount[];
}
