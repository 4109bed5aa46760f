// A database whose clock can be set wrong: functions of the same names stand before PostgreSQL's own in the search path,
// so that the program's statements, untouched, read another time. Nothing else in the server notices.
import pg from "pg";
import type { TestDatabase } from "../database.ts";

export interface ClockShim {
  /** From now on `clock_timestamp()` and `now()` are wrong by so much. */
  setOff(offByMs: number): Promise<void>;
}

/** To be called before anything connects: a connection keeps the search path that it began with. */
export async function shimClock({ connection, databaseName }: TestDatabase): Promise<ClockShim> {
  const run = async (text: string, values: unknown[] = []): Promise<void> => {
    const client = new pg.Client(connection);
    await client.connect();
    await client.query(text, values).finally(() => client.end());
  };
  const timeOf = (name: string, volatility: string): string => `
create function public.${name}() returns timestamptz language sql ${volatility} security definer
  as $$ select pg_catalog.${name}() + off_by from public.clock_shim $$;`;
  await run(`
create table public.clock_shim (off_by interval not null);
insert into public.clock_shim values ('0');
${timeOf("clock_timestamp", "volatile")}
${timeOf("now", "stable")}
alter database ${databaseName} set search_path = public, pg_catalog;`);
  return {
    setOff: (offByMs) => run("update public.clock_shim set off_by = $1::float8 * interval '1 millisecond'", [offByMs]),
  };
}
