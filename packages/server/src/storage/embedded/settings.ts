// The settings an embedded server is started with, each with its reason. The rest is PostgreSQL's default.
// Nothing here may weaken durability: a 202 promises that the event survives a power failure (G1).

/**
 * fsync, full_page_writes and synchronous_commit stay at their defaults (on) on purpose; they are written out so that
 * a postgresql.conf or ALTER SYSTEM of somebody's cannot turn them off behind our back: the command line wins.
 */
const DURABLE = { fsync: "on", full_page_writes: "on", synchronous_commit: "on" } as const;

const MODEST = {
  // The default, spelled out because the memory of the smallest machine depends on it.
  shared_buffers: "128MB",
  // Pools of several processes on one machine (--processes), and room for a person with psql; idle ones cost little.
  max_connections: "200",
  // The default (1GB) makes a checkpoint every few seconds at 10,000 events/s, and each rewrites full pages.
  max_wal_size: "4GB",
  // Our statements are short; compiling a plan (tens of ms) never pays, and the estimate at which it starts is easily wrong.
  jit: "off",
  // Times are passed as parameters and shown in UTC; the machine's zone must not change what a query answers.
  timezone: "UTC",
  log_timezone: "UTC",
  // DETAIL lines quote the values of refused rows, and payloads do not belong into a log.
  log_error_verbosity: "terse",
} as const;

/** The settings as `-c name=value` arguments; `extra` wins, and is there for tests and for experts. */
export function serverArguments(extra: Readonly<Record<string, string>> = {}): string[] {
  const merged: Record<string, string> = { ...DURABLE, ...MODEST, ...extra };
  return Object.entries(merged).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
