import { SUPERUSER } from "./cluster.ts";
import { PORT } from "./settings.ts";

export interface Login {
  readonly role?: string;
  readonly database?: string;
}

/**
 * The libpq URL of the Postgres whose socket is in `socketFolder`. By default the superuser's, into the database
 * `postgres`.
 */
export function socketUrl(socketFolder: string, { role = SUPERUSER, database = "postgres" }: Login = {}): string {
  const path = `${encodeURIComponent(role)}@/${encodeURIComponent(database)}`;
  // No TLS on a socket, even where the environment asks for it in general.
  return `postgresql://${path}?host=${encodeURIComponent(socketFolder)}&port=${PORT}&sslmode=disable`;
}
