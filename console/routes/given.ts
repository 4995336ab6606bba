/** What a request gives, checked: a ProblemError says what is wrong with it. */
import { z } from 'zod';
import { ProblemError } from '../problem.ts';

export function given<T extends z.ZodType>(form: T, value: unknown): z.infer<T> {
  const parsed = form.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.join('.')}: ${message}` : message,
  );
  throw new ProblemError(400, `the request is malformed: ${issues.join('; ')}`, issues);
}

/** Who asks: told by the caller, as all share one token. */
export const who = z.string().trim().max(256).default('');
