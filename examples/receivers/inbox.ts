// Where a receiver puts what it believes: each webhook-id once, handled after the answer. This one is in memory, so a
// restart forgets it. A real one is a table: insert the id and the event (`on conflict do nothing`), commit, answer 2xx,
// and handle the rows afterwards.
import type { ReceivedWebhook, WebhookEvent } from "@posthorn/client";

/** Enough for a day; older ids do not come again unless somebody replays them, and then they are wanted. */
const REMEMBERED_IDS = 100_000;

export class Inbox {
  readonly #handle: (event: WebhookEvent) => Promise<void>;
  readonly #seen = new Set<string>();
  #last: Promise<void> = Promise.resolve();

  constructor(handle: (event: WebhookEvent) => Promise<void>) {
    this.#handle = handle;
  }

  /** Takes an event in, unless it was here before. Returns at once: the answer must not wait for the work. */
  take({ id, event, isTest }: ReceivedWebhook): void {
    if (isTest || this.#seen.has(id)) return;
    this.#seen.add(id);
    if (this.#seen.size > REMEMBERED_IDS) for (const oldest of this.#seen) if (this.#seen.delete(oldest)) break;
    this.#last = this.#last
      .then(() => this.#handle(event))
      .catch((error: unknown) => console.error(`event ${id} could not be handled:`, error));
  }
}

/** What these examples do with an event; `switch` gives each type its own data. */
export async function printEvent(event: WebhookEvent): Promise<void> {
  switch (event.event) {
    case "invoice.paid":
      console.log(`${event.data.object.invoiceNumber} is paid: ${event.data.object.total}`);
      break;
    case "payment.received":
      console.log(`payment for order ${event.data.object.order?.id ?? "(none)"}`);
      break;
    default:
      console.log(`${event.event} ${event.id}`);
  }
}
