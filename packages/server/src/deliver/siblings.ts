// How the processes of one machine wake each other: through the process that started them, which names the webhooks, so
// that the owner of a lane reads those queues at once. Only ever a hint, like what is said through the database. Must
// never grow: beyond a limit it is only said that there is something.
import type { Signals } from "./node-signals.ts";

/** What its owner has to know of a webhook that something was left for. */
export interface HandedOffWebhook {
  readonly lane: number;
  readonly tenantUuid: string;
  readonly uuid: string;
}

/** What one process tells the others; plain data, sent as JSON. */
export interface SiblingSignal {
  /** Lane, tenant and webhook of what was left. */
  readonly webhooks: readonly (readonly [lane: number, tenantUuid: string, webhookUuid: string])[];
  /** Something was left in lanes that are not known. */
  readonly isSomewhere: boolean;
  readonly isLanesToMove: boolean;
}

/** The other processes on this machine. */
export interface Siblings {
  /** True when this node, by its UUID, is one of them. */
  has(nodeUuid: string): boolean;
  tell(signal: SiblingSignal): void;
  /** Called once. */
  listen(listener: {
    readonly onTold: (signal: SiblingSignal) => void;
    /** The processes of these nodes have ended. */
    readonly onEnded: (nodeUuids: readonly string[]) => void;
  }): void;
}

export interface SiblingSignalsOptions {
  readonly siblings: Siblings;
  /** For nodes on other machines. */
  readonly byDatabase: Signals;
  readonly isAnyNodeElsewhere: () => boolean;
  readonly onHandedOver: (lanes: readonly number[] | undefined) => void;
  readonly onToldOf: (webhooks: readonly { lane: number; tenant_id: string; webhook_id: string }[]) => void;
  readonly onLanesToMove: () => void;
  readonly onNodesEnded: (ids: readonly string[]) => void;
}

const MAX_WEBHOOKS = 1_000;

/** Tells the siblings directly, and the database only when there are nodes elsewhere. */
export class SiblingSignals implements Signals {
  readonly #options: SiblingSignalsOptions;
  readonly #webhooks = new Map<string, HandedOffWebhook>();
  #isSomewhere = false;
  #isLanesToMove = false;
  #isWaiting = false;

  constructor(options: SiblingSignalsOptions) {
    this.#options = options;
  }

  start(): void {
    const { siblings, byDatabase, onHandedOver, onToldOf, onLanesToMove, onNodesEnded } = this.#options;
    siblings.listen({
      onTold: ({ webhooks, isSomewhere, isLanesToMove }) => {
        if (isLanesToMove) onLanesToMove();
        if (isSomewhere) onHandedOver(undefined);
        if (webhooks.length > 0) {
          onToldOf(webhooks.map(([lane, tenantUuid, uuid]) => ({ lane, tenant_id: tenantUuid, webhook_id: uuid })));
        }
      },
      onEnded: onNodesEnded,
    });
    byDatabase.start();
  }

  handedOff(webhook: HandedOffWebhook): void {
    if (this.#options.isAnyNodeElsewhere()) this.#options.byDatabase.handedOff(webhook);
    if (this.#webhooks.size < MAX_WEBHOOKS) this.#webhooks.set(webhook.uuid, webhook);
    else this.#isSomewhere = true;
    this.#wake();
  }

  handedOffSomewhere(): void {
    if (this.#options.isAnyNodeElsewhere()) this.#options.byDatabase.handedOffSomewhere();
    this.#isSomewhere = true;
    this.#wake();
  }

  lanesToMove(): void {
    // Said to everybody: a node that nobody here has heard of yet may wait for lanes.
    this.#options.byDatabase.lanesToMove();
    this.#isLanesToMove = true;
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#tell();
    await this.#options.byDatabase.stop();
  }

  /** Everything that this turn of the event loop brings goes together. */
  #wake(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    setImmediate(() => this.#tell());
  }

  #tell(): void {
    this.#isWaiting = false;
    const webhooks = [...this.#webhooks.values()].map(
      ({ lane, tenantUuid, uuid }) => [lane, tenantUuid, uuid] as const,
    );
    const signal = { webhooks, isSomewhere: this.#isSomewhere, isLanesToMove: this.#isLanesToMove };
    if (webhooks.length === 0 && !signal.isSomewhere && !signal.isLanesToMove) return;
    this.#webhooks.clear();
    this.#isSomewhere = false;
    this.#isLanesToMove = false;
    this.#options.siblings.tell(signal);
  }
}
