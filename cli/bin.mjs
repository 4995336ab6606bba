#!/usr/bin/env node
// The installed `spanwarden`: one line where Node is too old, else the command. Nothing is imported before that is known,
// as an old Node cannot even read the rest.
const LEAST = 24;

if (Number(process.versions.node.split('.')[0]) < LEAST) {
  process.stderr.write(
    `spanwarden: needs Node ${LEAST} or newer; this is ${process.versions.node} (${process.execPath})\n`,
  );
  process.exitCode = 1;
} else {
  import('./spanwarden.js');
}
