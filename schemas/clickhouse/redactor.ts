/** What a row encoder asks of redaction; traces/redaction is the one implementation. */

export const Sensitivity = {
  /** The name is known to hold no secret: the value goes out as it is. */
  harmless: 0,
  /** A secret may stand inside the value. */
  look: 1,
  /** The value is a secret. */
  secret: 2,
} as const;
export type Sensitivity = (typeof Sensitivity)[keyof typeof Sensitivity];

export interface Redactor {
  /** By name, memoised: cheap for names that were seen. */
  classify(name: string): Sensitivity;
  /** The same from the name's UTF-8 bytes, without making a string for a name that was seen. */
  classifyBytes(bytes: Uint8Array, start: number, end: number): Sensitivity;
  /** Whether `look` would change this text: one pass, nothing is allocated. */
  suspects(bytes: Uint8Array, start: number, end: number): boolean;
  /** What leaves instead of a secret value. */
  secret(value: string): string;
  /** The text with the secrets inside it replaced; the same string when there are none. */
  look(text: string): string;
  /** `secret`, `look` or the value itself, by the name's sensitivity. */
  value(name: string, value: string): string;
  /**
   * A user (`user.id`, `enduser.id`) as it may leave: a secret where either is named as one. Null for one that is masked: all of
   * those would be one and the same.
   */
  user(user: string): string | null;
  /** What people sign in as (those, `user.name`, `user.email`), likewise. */
  account(account: string): string | null;
}
