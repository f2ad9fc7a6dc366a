import { readFileSync } from "node:fs";
import { join } from "node:path";
import { usageFailure } from "./command-failure.ts";

/** Who calls: a tenant's management key, or the deployment's operator. */
export type Role = "management" | "operator";

export interface Credential {
  readonly token: string;
  /** Where it came from, for people. */
  readonly source: string;
}

type Env = Readonly<Record<string, string | undefined>>;

const DATA_DIR = ".clavis";

/** Where each role's credential is: a variable, or a file in the data folder of an embedded service. */
const places: Record<Role, { readonly variable: string; readonly file: string }> = {
  management: { variable: "CLAVIS_KEY", file: "management-key" },
  operator: { variable: "CLAVIS_OPERATOR_KEY", file: "operator-key" },
};

/**
 * The credential for `role`: of `keyFile` if one is named, or else of the environment, or else of the data folder of a
 * service that runs here. There is no way to give one in an argument, which every user of the machine could read.
 *
 * @throws CommandFailure if there is none, without a word of what was read
 */
export function findCredential(role: Role, keyFile: string | undefined, env: Env): Credential {
  const { variable, file } = places[role];
  if (keyFile !== undefined) return { token: readKey(keyFile), source: keyFile };
  const token = env[variable];
  if (token !== undefined && token !== "") return { token, source: variable };

  const path = join(env.CLAVIS_DATA_DIR || DATA_DIR, file);
  try {
    return { token: readFileSync(path, "utf8").trim(), source: path };
  } catch (error) {
    throw usageFailure(
      `no credential: set ${variable}, or name a file with --key-file (${path} cannot be read: ${codeOf(error)})`,
    );
  }
}

/** Does not repeat the path: who takes the option for the key itself must not find it in a log. */
function readKey(keyFile: string): string {
  try {
    return readFileSync(keyFile, "utf8").trim();
  } catch (error) {
    throw usageFailure(`the file of --key-file cannot be read: ${codeOf(error)}`);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
