// Bulk replays: started here, worked off by the server.
import { type CallOptions, pathOf, type Transport } from "../http/transport.ts";
import type { Listing } from "../listing.ts";
import type { NewReplay, Replay } from "../types/replay.ts";
import { change, list, read } from "./read.ts";

export class Replays {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Starts one; `get` says how far it has come. With `dryRun` it only counts. */
  async start(what: NewReplay, options?: CallOptions): Promise<Replay> {
    return (await change(this.#transport, "POST", "/replays", what, options)).data as Replay;
  }

  /** Reads one and how far it has come. */
  get(id: string, options?: CallOptions): Promise<Replay> {
    return read(this.#transport, pathOf`/replays/${id}`, options);
  }

  /** Lists them, newest first. */
  list(query?: { readonly webhookId?: string; readonly limit?: number }, options?: CallOptions): Listing<Replay> {
    return list(this.#transport, "/replays", query, options);
  }

  /** Ends a running one. Deliveries that it has made stay: `webhooks.cancelPending` ends those. */
  async cancel(id: string, options?: CallOptions): Promise<Replay> {
    return (await change(this.#transport, "POST", pathOf`/replays/${id}/cancel`, undefined, options)).data as Replay;
  }
}
