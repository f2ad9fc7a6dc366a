/** Names and values of Postgres settings, as in `postgresql.conf`. */
export type Settings = Readonly<Record<string, string>>;

/** The port is only a part of the socket's name. */
export const PORT = "5432";

/**
 * What the server is started with. Given on its command line, so that they hold whatever the folder's own configuration
 * says; none is a secret.
 */
export function serverSettings(socketFolder: string, extra: Settings): Settings {
  return {
    // No network: only who may enter the socket's folder can connect, hence "trust" and no passwords.
    listen_addresses: "",
    unix_socket_directories: `"${socketFolder.replaceAll('"', '""')}"`,
    port: PORT,

    // Enough for a small product on a small machine, and less than most others would take.
    shared_buffers: "128MB",
    max_connections: "100",

    // No part of a request may come into a log. The bounds on errors are Postgres's own messages, which quote values:
    // "log" leaves out what clients were told anyway, "terse" the details, a crashed process's last statement among
    // them.
    log_min_messages: "log",
    log_error_verbosity: "terse",
    log_min_error_statement: "panic",
    log_statement: "none",
    log_min_duration_statement: "-1",
    log_parameter_max_length: "0",
    log_parameter_max_length_on_error: "0",

    // What would fill the log without telling anything.
    log_checkpoints: "off",
    log_connections: "off",
    log_disconnections: "off",

    log_destination: "stderr",
    logging_collector: "off",
    log_line_prefix: "%m [%p] ",
    log_timezone: "UTC",
    timezone: "UTC",
    ...extra,
  };
}

/** The settings as arguments for `postgres`. */
export function toArguments(settings: Settings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
