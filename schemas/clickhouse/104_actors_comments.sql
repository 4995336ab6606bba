-- A client of IPv6 is a /64.
ALTER TABLE {database}.actors
  COMMENT COLUMN subject 'What kind of actor; client: an address, or a /64 of IPv6; network: a /24 or /48; account: one that others try to sign in to',
  COMMENT COLUMN abuse 'Kind of abuse over its bound, until it ended; attribution: a notice about our own configuration; empty: what was found of it, nothing over a bound'
