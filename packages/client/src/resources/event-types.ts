// The event types that there are: the catalogue's, and those that the tenant registered.
import { type CallOptions, pathOf, type Transport } from "../http/transport.ts";
import type { Listing } from "../listing.ts";
import type { EventTypeHead, EventTypeRecord, NewEventType } from "../types/event.ts";
import { change, list, read } from "./read.ts";

export class EventTypes {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Reads one event type with an example that can be published as it is. */
  get(name: string, options?: CallOptions): Promise<EventTypeRecord> {
    return read(this.#transport, pathOf`/event-types/${name}`, options);
  }

  /** Lists event types by name; `type` may be a pattern. */
  list(query?: { readonly type?: string; readonly limit?: number }, options?: CallOptions): Listing<EventTypeHead> {
    return list(this.#transport, "/event-types", query, options);
  }

  /** Registers an event type of the tenant's own. */
  async register(type: NewEventType, options?: CallOptions): Promise<EventTypeRecord> {
    return (await change(this.#transport, "POST", "/event-types", type, options)).data as EventTypeRecord;
  }

  /** Changes what is said of a registered type; `null` takes a member away. */
  async update(
    name: string,
    fields: Partial<Omit<NewEventType, "name">>,
    options?: CallOptions,
  ): Promise<EventTypeRecord> {
    return (await change(this.#transport, "PATCH", pathOf`/event-types/${name}`, fields, options))
      .data as EventTypeRecord;
  }

  /** Removes a registered type that no webhook names. Its events stay. */
  async remove(name: string, options?: CallOptions): Promise<void> {
    await change(this.#transport, "DELETE", pathOf`/event-types/${name}`, undefined, options);
  }
}
