/**
 * A partial without some clients: what nobody else sent was never seen. An entry holds which clients gave it as 64 bits, so what
 * a client of the same bit gave goes along, and of what others gave too all is kept: it is normal whoever sends it.
 */
import { clientBits, entriesOf, leaveOut } from './counts.ts';
import { Kind, SchemaKind } from './features.ts';
import type { OperationCounts, ParameterCounts, ParametersPartial } from './partial.ts';

/** Takes it out of the partial itself. */
export const leaveOutClients = (partial: ParametersPartial, clients: readonly number[]): void => {
  if (clients.length === 0) return;
  const bits = clientBits(clients);
  const drop = (parameters: Map<string, ParameterCounts>): void => {
    for (const [key, parameter] of parameters) {
      leaveOut(parameter.counts, bits);
      if (parameter.hits !== null) leaveOut(parameter.hits, bits);
      if (entriesOf(parameter.counts, Kind.total).length === 0) parameters.delete(key);
    }
  };
  const operations: Map<string, OperationCounts> = partial.operations.map;
  for (const [label, operation] of operations) {
    leaveOut(operation.counts, bits);
    if (entriesOf(operation.counts, SchemaKind.total).length === 0) {
      operations.delete(label);
      continue;
    }
    drop(operation.parameters.map);
    drop(operation.calls.map);
  }
};
