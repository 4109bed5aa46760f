// The processes of the installation; needs a key with the scope `operator`.
import type { CallOptions, Transport } from "../http/transport.ts";
import type { Listing } from "../listing.ts";
import type { PosthornNode } from "../types/node.ts";
import { list } from "./read.ts";

/** Who serves, owns how much, and is how far behind. */
export class Nodes {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Newest first; those that ended for a day. */
  list(query?: { readonly limit?: number }, options?: CallOptions): Listing<PosthornNode> {
    return list(this.#transport, "/nodes", query, options);
  }
}
