const said = new Set<string>();

/** The cure where the harness fetches what is missing by itself, as `findProgram` does. */
const INSTALL = "install it, or run on Debian or Ubuntu with a package mirror in reach";

/**
 * Says once in this process that suites are skipped for want of `what`, and the `cure`. Throws instead where the
 * environment has `required=1`.
 */
export function sayMissing(what: string, required: string, cure = INSTALL): undefined {
  const message = `${what} is not to be had here: ${cure}`;
  if (process.env[required] === "1") throw new Error(message);
  if (!said.has(what)) process.stderr.write(`\n!!! SKIPPING ALL TESTS WITH ${what.toUpperCase()}: ${message}\n\n`);
  said.add(what);
  return undefined;
}
