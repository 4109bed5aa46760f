// Which queues the table is read for next, when more of them want to be read than one statement takes: tenants in turn,
// within a tenant by priority and by who waited longest (start-time fair queueing). Pure. Must leave nobody out for good.
import type { Priority } from "../storage/priority.ts";

/** What of a queue decides about its turn. */
export interface Readable {
  readonly webhook: { readonly tenantUuid: string; readonly priority: Priority };
  /** When it has had its fill, in its tenant's virtual time. */
  readTurn: number;
}

/** Virtual time that a read costs: sixteen of a high one for one of a low one, as with slots (fair-turns.ts). */
const COST: Readonly<Record<Priority, number>> = { high: 1, normal: 4, low: 16 };

interface Tenant {
  /** The virtual start of its latest read. */
  clock: number;
  /** When the tenant itself has had its fill. */
  turn: number;
}

export class ReadTurns {
  readonly #tenants = new Map<string, Tenant>();
  #clock = 0;

  /** Up to `limit` of these. */
  choose<Queue extends Readable>(waiting: readonly Queue[], limit: number): Queue[] {
    if (waiting.length <= limit) return [...waiting];
    const lines = this.#lines(waiting);
    const chosen: Queue[] = [];
    for (let round = 0; chosen.length < limit; round += 1) {
      for (const { tenant, queues } of lines) {
        const queue = queues[round];
        if (queue === undefined) continue;
        this.#clock = Math.max(this.#clock, tenant.turn);
        tenant.turn = Math.max(tenant.turn, this.#clock) + 1;
        tenant.clock = Math.max(tenant.clock, queue.readTurn);
        queue.readTurn = Math.max(queue.readTurn, tenant.clock) + COST[queue.webhook.priority];
        chosen.push(queue);
        if (chosen.length === limit) break;
      }
    }
    return chosen;
  }

  /** By tenant, whose turn is first comes first; in each line likewise. */
  #lines<Queue extends Readable>(waiting: readonly Queue[]): { tenant: Tenant; queues: Queue[] }[] {
    const lines = new Map<string, { tenant: Tenant; queues: Queue[] }>();
    for (const queue of waiting) {
      const { tenantUuid } = queue.webhook;
      let line = lines.get(tenantUuid);
      if (line === undefined) {
        line = { tenant: this.#tenantOf(tenantUuid), queues: [] };
        lines.set(tenantUuid, line);
      }
      line.queues.push(queue);
    }
    for (const { tenant, queues } of lines.values()) {
      const startOf = ({ readTurn }: Queue): number => Math.max(readTurn, tenant.clock);
      queues.sort(
        (one, other) => startOf(one) - startOf(other) || COST[one.webhook.priority] - COST[other.webhook.priority],
      );
    }
    return [...lines.values()].sort((one, other) => one.tenant.turn - other.tenant.turn);
  }

  #tenantOf(uuid: string): Tenant {
    let tenant = this.#tenants.get(uuid);
    if (tenant === undefined) {
      tenant = { clock: 0, turn: this.#clock };
      this.#tenants.set(uuid, tenant);
    }
    // What it did not use while it did not wait is lost.
    tenant.turn = Math.max(tenant.turn, this.#clock);
    return tenant;
  }
}
