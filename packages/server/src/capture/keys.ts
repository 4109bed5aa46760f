// Idempotency keys and senders' own ids, as a batch has them: made, named, kept apart. Pure.
// Two events with one key must never stand in one statement.
import { createHash } from "node:crypto";
import type { KeyRow } from "./capture.sql.ts";

/** What is asked of an item of a batch. */
interface Keyed {
  readonly incoming: { readonly sender: { readonly tenantUuid: string; readonly livemode: boolean } };
  readonly row: { readonly keys: readonly KeyRow[] };
}

export function keysOf(
  senderId: string | null,
  idempotencyKey: string | null,
  body: Buffer,
  frame: { readonly start: number; readonly end: number },
): KeyRow[] {
  if (senderId === null && idempotencyKey === null) return [];
  const hash = createHash("sha256").update(body.subarray(frame.start, frame.end)).digest();
  const keys: KeyRow[] = [];
  if (idempotencyKey !== null) keys.push({ kind: "key", key: idempotencyKey, hash });
  if (senderId !== null) keys.push({ kind: "id", key: senderId, hash });
  return keys;
}

export function keyName({ kind, key }: Pick<KeyRow, "kind" | "key">): string {
  return `${kind} ${key}`;
}

/** Items by tenant and mode. */
export function bySender<Item extends Keyed>(items: readonly Item[]): [Item, ...Item[]][] {
  const groups = new Map<string, [Item, ...Item[]]>();
  for (const item of items) {
    const { tenantUuid, livemode } = item.incoming.sender;
    const name = `${tenantUuid} ${livemode}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/** Those that may go now, and those whose key another one of them has: they wait for its outcome. */
export function splitRepeatedKeys<Item extends Keyed>(items: Item[]): { now: Item[]; later: Item[] } {
  if (items.every((item) => item.row.keys.length === 0)) return { now: items, later: [] };
  const seen = new Set<string>();
  const now: Item[] = [];
  const later: Item[] = [];
  for (const item of items) {
    const { sender } = item.incoming;
    const names = item.row.keys.map((key) => `${sender.tenantUuid} ${sender.livemode} ${key.kind} ${key.key}`);
    if (names.some((name) => seen.has(name))) {
      later.push(item);
      continue;
    }
    for (const name of names) seen.add(name);
    now.push(item);
  }
  return { now, later };
}
