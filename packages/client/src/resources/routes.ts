// Routes between webhooks: ordered lists of when → webhooks, changed as a whole.
import { type CallOptions, pathOf, type Transport } from "../http/transport.ts";
import type { Listing } from "../listing.ts";
import type { Route, RouteFields } from "../types/route.ts";
import { change, type ChangeOptions, list, tagged } from "./read.ts";

export class Routes {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Those in force, by name. */
  list(options?: CallOptions): Listing<Route> {
    return list(this.#transport, "/routes", undefined, options);
  }

  /** Reads one, with the mark of its state. */
  async get(name: string, options?: CallOptions): Promise<Route & { readonly etag: string }> {
    const request = { method: "GET", path: `/routes${pathOf`/${name}`}`, repeatable: "always", ...options } as const;
    return tagged<Route>(await this.#transport.send(request));
  }

  /** Makes one, or replaces the whole of it by a new version. */
  async put(name: string, fields: RouteFields, options?: ChangeOptions): Promise<Route & { readonly etag: string }> {
    return tagged<Route>(await change(this.#transport, "PUT", `/routes${pathOf`/${name}`}`, fields, options));
  }

  /** Deletes one; its versions stay. */
  async remove(name: string, options?: ChangeOptions): Promise<void> {
    await change(this.#transport, "DELETE", `/routes${pathOf`/${name}`}`, undefined, options);
  }

  /** What it said and when, newest first; of a deleted one too. */
  versions(name: string, options?: CallOptions): Listing<Route> {
    return list(this.#transport, `/routes${pathOf`/${name}`}/versions`, undefined, options);
  }
}
