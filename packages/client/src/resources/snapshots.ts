// Snapshots: begun and filled here, delivered by the server. Every call can be repeated.
import { type CallOptions, jsonBytes, pathOf, type Transport } from "../http/transport.ts";
import type { Listing } from "../listing.ts";
import type { NewSnapshot, Snapshot } from "../types/snapshot.ts";
import { callOptions, list, read } from "./read.ts";

export class Snapshots {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Begins one, or gives back the one of the same token: go on at its `received`. */
  start(webhookId: string, what: NewSnapshot, options?: CallOptions): Promise<Snapshot> {
    return this.#post(pathOf`/webhooks/${webhookId}/snapshots`, jsonBytes(what), options);
  }

  /**
   * Gives it its next records, up to 1,000 and 1 MiB.
   * @param offset how many came before the first of these; those that are stored already are passed over
   * @param records objects, or the text of each as JSON where numbers have more digits than JavaScript keeps
   */
  append(
    id: string,
    offset: number,
    records: readonly (string | Readonly<Record<string, unknown>>)[],
    options?: CallOptions,
  ): Promise<Snapshot> {
    const texts = records.map((record) => (typeof record === "string" ? record : JSON.stringify(record)));
    const body = new TextEncoder().encode(`{"offset":${JSON.stringify(offset)},"records":[${texts.join(",")}]}`);
    return this.#post(pathOf`/snapshots/${id}/records`, body, options);
  }

  /** Says that no more records come. */
  complete(id: string, options?: CallOptions): Promise<Snapshot> {
    return this.#post(pathOf`/snapshots/${id}/complete`, undefined, options);
  }

  /** Ends a running one. Deliveries that were made stay: `webhooks.cancelPending` ends those. */
  cancel(id: string, options?: CallOptions): Promise<Snapshot> {
    return this.#post(pathOf`/snapshots/${id}/cancel`, undefined, options);
  }

  /** Reads one and how far it has come. */
  get(id: string, options?: CallOptions): Promise<Snapshot> {
    return read(this.#transport, pathOf`/snapshots/${id}`, options);
  }

  /** Lists them, newest first. */
  list(query?: { readonly webhookId?: string; readonly limit?: number }, options?: CallOptions): Listing<Snapshot> {
    return list(this.#transport, "/snapshots", query, options);
  }

  async #post(path: string, body: Uint8Array<ArrayBuffer> | undefined, options?: CallOptions): Promise<Snapshot> {
    const request = { method: "POST", path, body, repeatable: "always" } as const;
    return (await this.#transport.send({ ...request, ...callOptions(options) })).data as Snapshot;
  }
}
