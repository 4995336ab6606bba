/** Every scenario there is. */
import { REQUEST_ATTACKS } from './attacks.ts';
import { batchedSsrf } from './batch.ts';
import { forgedHeaders } from './forged.ts';
import { manyBehindOneAddress } from './nat.ts';
import { objectEnumeration, supportStaff } from './objects.ts';
import { TRAFFIC_ODDITIES } from './oddities.ts';
import type { Scenario } from './scenario.ts';
import { distributedCredentialStuffing, forgottenPassword } from './sign-in.ts';
import { stagedAttack } from './staged.ts';

export const ATTACKS: readonly Scenario[] = [
  ...REQUEST_ATTACKS,
  distributedCredentialStuffing,
  objectEnumeration,
  stagedAttack,
  forgedHeaders,
  batchedSsrf,
];

export const ODDITIES: readonly Scenario[] = [
  ...TRAFFIC_ODDITIES,
  manyBehindOneAddress,
  supportStaff,
  forgottenPassword,
];

export const SCENARIOS: readonly Scenario[] = [...ATTACKS, ...ODDITIES];
