/** What is done with a parameter, by where it was found. */
import { ParameterSource } from '../../traces/segment.ts';

/** Values of these sources are read as shapes, and their names are the operation's schema. */
export const isRequestSource = (source: number): boolean =>
  source <= ParameterSource.message && source !== ParameterSource.header;

/** Statements and egress belong to the home's operation and go by the calling span's label. */
export const isCallSource = (source: number): boolean =>
  source === ParameterSource.statement || source === ParameterSource.egress;
