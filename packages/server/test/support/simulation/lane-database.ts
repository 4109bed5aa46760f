// The database of a simulation, as far as nodes and lanes go: each statement happens at one moment, fenced as the real one
// is. Told apart by their names, so that the code under test sends what it always sends. Must answer no other statement.
import type pg from "pg";

interface NodeRow {
  readonly id: string;
  incarnation: number;
  beat: number;
  alive: boolean;
  leaving: boolean;
}

export const LANES = 256;

export class LaneDatabase {
  readonly nodes = new Map<string, NodeRow>();
  readonly owners: (string | null)[] = Array.from({ length: LANES }, () => null);
  readonly epochs = new Int32Array(LANES);
  /** Per lane, of one sequence of deliveries: how many have ended. */
  readonly ended = new Int32Array(LANES);

  execute({ name, values = [] }: pg.QueryConfig): object[] {
    switch (name) {
      case "upsert_node":
        return this.#upsert(values[0] as string, values[1] as number);
      case "raise_beat": {
        const row = this.#alive(values[0] as string, values[1] as number);
        return row === undefined
          ? []
          : [{ beat: ++row.beat, epochs: this.epochs.reduce((sum, epoch) => sum + epoch, 0) }];
      }
      case "select_other_nodes":
        return [...this.nodes.values()].filter((row) => row.alive && row.id !== values[0]).map((row) => ({ ...row }));
      case "declare_dead": {
        const row = this.#alive(values[0] as string, values[1] as number);
        if (row === undefined || row.beat !== values[2]) return [];
        return this.#end(row);
      }
      case "mark_leaving": {
        const row = this.#alive(values[0] as string, values[1] as number);
        if (row !== undefined) row.leaving = true;
        return [];
      }
      case "release_node": {
        const row = this.nodes.get(values[0] as string);
        return row?.incarnation === values[1] ? this.#end(row as NodeRow) : [];
      }
      case "select_lane_owners":
        return this.#lanesByOwner();
      case "acquire_lanes": {
        const row = this.#alive(uuidOf(values[0] as Uint8Array), values[1] as number);
        if (row === undefined) return [];
        const free = int2Of(values[2] as Buffer).filter((lane) => this.owners[lane] === null);
        for (const lane of free) this.#give(lane, row.id);
        return free.map((id) => ({ id }));
      }
      case "release_lanes": {
        const row = this.#alive(uuidOf(values[0] as Uint8Array), values[1] as number);
        if (row === undefined) return [];
        for (const lane of int2Of(values[2] as Buffer)) if (this.owners[lane] === row.id) this.#give(lane, null);
        return [];
      }
      case "take_handoffs":
      case "delete_cancel_notices":
        return [];
      default:
        throw new Error(`the simulation does not know the statement ${name}`);
    }
  }

  /** The fence of a result: does this incarnation still live? */
  isFenced(node: string, incarnation: number): boolean {
    return this.#alive(node, incarnation) !== undefined;
  }

  #alive(id: string, incarnation: number): NodeRow | undefined {
    const row = this.nodes.get(id);
    return row?.alive === true && row.incarnation === incarnation ? row : undefined;
  }

  #upsert(id: string, incarnation: number): object[] {
    const row = this.nodes.get(id);
    if (row === undefined) this.nodes.set(id, { id, incarnation, beat: 0, alive: true, leaving: false });
    else Object.assign(row, { incarnation, beat: 0, alive: true, leaving: false });
    return [];
  }

  #end(row: NodeRow): object[] {
    row.alive = false;
    this.owners.forEach((owner, lane) => owner === row.id && this.#give(lane, null));
    return [{ id: row.id }];
  }

  #give(lane: number, owner: string | null): void {
    this.owners[lane] = owner;
    this.epochs[lane] = (this.epochs[lane] as number) + 1;
  }

  #lanesByOwner(): object[] {
    const lanes = new Map<string | null, number[]>();
    this.owners.forEach((owner, lane) => {
      const those = lanes.get(owner);
      if (those === undefined) lanes.set(owner, [lane]);
      else those.push(lane);
    });
    return [...lanes].map(([node_id, those]) => ({ node_id, lanes: those }));
  }
}

function uuidOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** PostgreSQL's binary int2[], without nulls: a header of 20 bytes, then a length of 4 bytes before each value. */
function int2Of(array: Buffer): number[] {
  const values: number[] = [];
  for (let at = 24; at < array.length; at += 6) values.push(array.readInt16BE(at));
  return values;
}
