// What was heard, in memory until upkeep writes it down: a count for each module and source and hour. Costs the hot path a
// look into two maps for an event, and loses the last seconds of a killed process, which a habit does not notice.
import { isOperationalType } from "../../lib/operational-types.ts";
import { readPathText } from "../../lib/json/read-path.ts";
import { hourOf } from "./habit.ts";
import type { HeardRow, ModuleKind } from "./modules.sql.ts";

/** The parts of a stored event that are heard. */
export interface HeardEvent {
  readonly sender: { readonly tenantUuid: string };
  readonly livemode: boolean;
  readonly type: string;
  readonly context: Buffer | null;
}

const SOURCE_PATH = ["source"];
const SOURCE = /^[\w.:-]{1,64}$/;
/** Comes in bursts, as somebody wants it. */
const IMPORT = "import";
/** More names than this between two writes are somebody's mistake. */
const MAX_ROWS = 5_000;
const MAX_TYPES = 10_000;

type Mutable<Row> = { -readonly [Name in keyof Row]: Row[Name] };

export class Hearing {
  readonly #moduleOf: (type: string) => string | undefined;
  readonly #modules = new Map<string, string>();
  #rows = new Map<string, Mutable<HeardRow>>();

  /** @param moduleOf what the catalogue calls the module of an event type */
  constructor(moduleOf: (type: string) => string | undefined) {
    this.#moduleOf = moduleOf;
  }

  /** An event was stored. */
  heard({ sender, livemode, type, context }: HeardEvent, atMs: number): void {
    if (isOperationalType(type)) return;
    this.#count(sender.tenantUuid, livemode, "module", this.#nameOf(type), atMs);
    if (context === null) return;
    const source = readPathText(context, 0, context.length, SOURCE_PATH);
    if (source === null || source === IMPORT || !SOURCE.test(source)) return;
    this.#count(sender.tenantUuid, livemode, "source", source, atMs);
  }

  /** What is to be written, and gone from here. */
  take(): HeardRow[] {
    const rows = [...this.#rows.values()];
    this.#rows = new Map();
    return rows;
  }

  /** Could not be written: the next write takes it along. */
  giveBack(rows: readonly HeardRow[]): void {
    for (const row of rows) {
      const key = keyOf(row.tenantUuid, row.livemode, row.kind, row.name, row.hourMs);
      const present = this.#rows.get(key);
      if (present === undefined) this.#rows.set(key, { ...row });
      else {
        present.count += row.count;
        present.firstMs = Math.min(present.firstMs, row.firstMs);
      }
    }
  }

  #count(tenantUuid: string, livemode: boolean, kind: ModuleKind, name: string, atMs: number): void {
    const hourMs = hourOf(atMs);
    const key = keyOf(tenantUuid, livemode, kind, name, hourMs);
    const row = this.#rows.get(key);
    if (row !== undefined) {
      row.count += 1;
      if (atMs > row.lastMs) row.lastMs = atMs;
    } else if (this.#rows.size < MAX_ROWS) {
      this.#rows.set(key, { tenantUuid, livemode, kind, name, hourMs, count: 1, firstMs: atMs, lastMs: atMs });
    }
  }

  /** Types that the catalogue does not have are called by what stands before their first full stop. */
  #nameOf(type: string): string {
    const known = this.#modules.get(type);
    if (known !== undefined) return known;
    const name = this.#moduleOf(type) ?? type.split(".", 1)[0] ?? type;
    if (this.#modules.size < MAX_TYPES) this.#modules.set(type, name);
    return name;
  }
}

function keyOf(tenantUuid: string, livemode: boolean, kind: ModuleKind, name: string, hourMs: number): string {
  return `${tenantUuid}${livemode ? "L" : "S"}${kind}${hourMs}${name}`;
}
