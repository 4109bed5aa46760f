// Who sends events, and who has fallen silent.
import type { CallOptions, Transport } from "../http/transport.ts";
import type { Listing } from "../listing.ts";
import type { EventModule } from "../types/module.ts";
import { list } from "./read.ts";

export class Modules {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Modules and sources by name. */
  list(options?: CallOptions): Listing<EventModule> {
    return list(this.#transport, "/modules", undefined, options);
  }
}
