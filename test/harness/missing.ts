const said = new Set<string>();

/**
 * Says once in this process that suites are skipped for want of `what`. Throws instead where the environment has
 * `required=1`.
 */
export function sayMissing(what: string, required: string): undefined {
  const message = `${what} is not to be had here: install it, or run on Debian or Ubuntu with a package mirror in reach`;
  if (process.env[required] === "1") throw new Error(message);
  if (!said.has(what)) process.stderr.write(`\n!!! SKIPPING ALL TESTS WITH ${what.toUpperCase()}: ${message}\n\n`);
  said.add(what);
  return undefined;
}
