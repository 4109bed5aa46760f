// The delivery table of a simulation, as far as reading what is owed goes: each statement happens at one moment. Told apart
// by their names, so that the code under test sends what it always sends. Must answer no other statement.
import type pg from "pg";
import { uuidFromBytes } from "@posthorn/contract";

export interface OwedRow {
  readonly uuid: string;
  readonly idBytes: Uint8Array;
  readonly tenantUuid: string;
  readonly webhookUuid: string;
  readonly lane: number;
  readonly seq: number;
  readonly key: string | null;
  dueMs: number;
  attemptCount: number;
  trigger: "initial" | "retry";
}

/** Milliseconds from 1970 to PostgreSQL's epoch. */
const POSTGRES_EPOCH_MS = 946_684_800_000;
/** Of an array as a parameter: dimensions, flags, type, length, lower bound. */
const HEADER_BYTES = 20;

/** As precise as PostgreSQL keeps a time. */
export function inMicroseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

export class OwedTable {
  readonly rows = new Map<string, OwedRow>();
  #seq = 0;

  insert(row: Omit<OwedRow, "seq" | "attemptCount" | "trigger">): void {
    this.#seq += 1;
    this.rows.set(row.uuid, { ...row, seq: this.#seq, attemptCount: 0, trigger: "initial" });
  }

  execute({ name, values = [] }: pg.QueryConfig): object[] {
    switch (name) {
      case "select_webhooks_with_deliveries":
        return this.#webhooks(ints(values[0] as Buffer));
      case "select_due":
      case "select_due_keyless":
        return this.#due(values as Buffer[], name === "select_due_keyless");
      case "select_next_due":
      case "select_next_due_keyless":
        return this.#nextDue(values as Buffer[], name === "select_next_due_keyless");
      case "select_first_of_keys":
        return this.#firstOfKeys(values as [Buffer, Buffer, Buffer, number, Buffer]);
      case "select_first_keys":
      case "select_next_keys": {
        const [, webhook, limit, after] = values as [Uint8Array, Uint8Array, number, string | undefined];
        const keys = new Set<string>();
        for (const row of this.#of(uuidFromBytes(webhook))) if (row.key !== null) keys.add(row.key);
        return [...keys]
          .sort()
          .filter((key) => after === undefined || key > after)
          .slice(0, limit)
          .map((key) => ({ ordering_key: key }));
      }
      default:
        throw new Error(`the simulation has no statement ${name}`);
    }
  }

  /** In the order of `seq`. */
  #of(webhookUuid: string): OwedRow[] {
    return [...this.rows.values()].filter((row) => row.webhookUuid === webhookUuid);
  }

  /** The first of a key, if there is one. */
  firstOf(webhookUuid: string, key: string): OwedRow | undefined {
    for (const row of this.rows.values()) if (row.webhookUuid === webhookUuid && row.key === key) return row;
    return undefined;
  }

  #webhooks(lanes: readonly number[]): object[] {
    const found = new Map<string, object>();
    for (const row of this.rows.values()) {
      if (lanes.includes(row.lane))
        found.set(row.webhookUuid, { tenant_id: row.tenantUuid, webhook_id: row.webhookUuid });
    }
    return [...found.values()];
  }

  #due([, webhooks, dueBefore, limits, inMemory]: Buffer[], isKeyless: boolean): object[] {
    const leftOut = new Set(uuids(inMemory as Buffer));
    const times = milliseconds(dueBefore as Buffer);
    const most = ints(limits as Buffer);
    return uuids(webhooks as Buffer).flatMap((uuid, at) =>
      this.#of(uuid)
        .filter((row) => row.dueMs <= (times[at] as number) && !leftOut.has(row.uuid))
        .filter((row) => !isKeyless || row.key === null)
        .sort((one, other) => one.dueMs - other.dueMs || one.seq - other.seq)
        .slice(0, most[at])
        .map((row) => shown(row)),
    );
  }

  #nextDue([, webhooks, dueBefore]: Buffer[], isKeyless: boolean): object[] {
    const times = milliseconds(dueBefore as Buffer);
    return uuids(webhooks as Buffer).map((uuid, at) => {
      const later = this.#of(uuid)
        .filter((row) => row.dueMs > (times[at] as number) && (!isKeyless || row.key === null))
        .map((row) => row.dueMs);
      return { webhook_id: uuid, next_due_ms: later.length === 0 ? null : Math.min(...later) };
    });
  }

  #firstOfKeys([, webhooks, keys, rowsPerKey, dueBefore]: [Buffer, Buffer, Buffer, number, Buffer]): object[] {
    const [dueBeforeMs] = milliseconds(dueBefore) as [number];
    const names = texts(keys);
    return uuids(webhooks).flatMap((uuid, at) =>
      this.#of(uuid)
        .filter((row) => row.key === names[at])
        .slice(0, rowsPerKey)
        .map((row) => ({ ...shown(row, row.dueMs <= dueBeforeMs), place: at + 1, due_ms: row.dueMs })),
    );
  }
}

function shown(row: OwedRow, withEvent = true): object {
  return {
    tenant_id: row.tenantUuid,
    id: row.uuid,
    event_id: row.uuid,
    webhook_id: row.webhookUuid,
    attempt_count: row.attemptCount,
    policy_attempt_base: 0,
    retention_class: 90,
    replayed: false,
    next_trigger: row.trigger,
    batch_id: null,
    coalesced_count: null,
    ordering_key: row.key,
    type: withEvent ? "invoice.paid" : null,
    livemode: true,
    sender_id: null,
    sent_timestamp: null,
    data: withEvent ? Buffer.from("{}") : null,
    context: null,
    trace_context: null,
    correction_id: null,
  };
}

// --- parameters, as binary-arrays.ts writes them ---------------------------------------------------------------------

function elements<T>(array: Buffer, read: (at: number, length: number) => T): T[] {
  if (array.length < HEADER_BYTES) return [];
  const values: T[] = [];
  for (let at = HEADER_BYTES; at < array.length; ) {
    const length = array.readInt32BE(at);
    values.push(read(at + 4, length));
    at += 4 + length;
  }
  return values;
}

const uuids = (array: Buffer): string[] => elements(array, (at) => uuidFromBytes(array.subarray(at, at + 16)));
const ints = (array: Buffer): number[] => elements(array, (at, length) => array.readIntBE(at, length));
const texts = (array: Buffer): string[] => elements(array, (at, length) => array.toString("utf8", at, at + length));
const milliseconds = (array: Buffer): number[] =>
  elements(array, (at) => {
    const microseconds = array.readBigInt64BE(at);
    if (microseconds === 0x7fffffffffffffffn) return Number.POSITIVE_INFINITY;
    return inMicroseconds(Number(microseconds) / 1_000 + POSTGRES_EPOCH_MS);
  });
