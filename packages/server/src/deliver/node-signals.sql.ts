// Statements by which nodes wake each other: LISTEN and NOTIFY. Never inside another transaction: NOTIFY takes a lock
// of the whole database until its commit.
import type { Executor } from "../storage/pools.ts";

/** "Deliveries were left in these lanes": payload is their numbers with commas, or nothing for "somewhere". */
export const HANDOFF_CHANNEL = "posthorn_handoff";
/** "There are lanes to be taken or given away"; no payload. */
export const LANES_CHANNEL = "posthorn_lanes";

export type Channel = typeof HANDOFF_CHANNEL | typeof LANES_CHANNEL;

/** From now on this connection hears both channels. */
export async function listen(db: Executor): Promise<void> {
  await db.query({ text: `listen ${HANDOFF_CHANNEL}` });
  await db.query({ text: `listen ${LANES_CHANNEL}` });
}

/** @param payload below 8,000 bytes: 256 lanes make 914 */
export async function notify(db: Executor, channel: Channel, payload: string): Promise<void> {
  await db.query({ name: "notify", text: "select pg_notify($1, $2)", values: [channel, payload] });
}
