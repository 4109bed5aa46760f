// Publishing, reading and replaying events. Publishing is safe to repeat: every request carries an idempotency key.
// Must never send other bytes, or another key, when it repeats a request.
import { InvalidArgument, PosthornError } from "../errors.ts";
import { type ApiAnswer, type CallOptions, jsonBytes, pathOf, type Transport } from "../http/transport.ts";
import type { Listing } from "../listing.ts";
import type {
  BatchRefusal,
  BatchResult,
  DataOf,
  EventHead,
  EventQuery,
  EventRecord,
  EventType,
  NewEvent,
  PublishedEvent,
  ReplayedEvent,
} from "../types/event.ts";
import type { CancelledMany, CancelMany } from "../types/replay.ts";
import { mergeResults, splitBatch } from "./batch.ts";
import { callOptions, change, list, read } from "./read.ts";

export interface PublishOptions extends CallOptions {
  /**
   * The sender's own name for this request: the same key within 24 hours gives the first answer again. One is made for
   * each call unless given; give one when the call itself may be repeated, after a crash for example.
   */
  readonly idempotencyKey?: string;
}

// biome-ignore lint/complexity/noBannedTypes: keeps the known names as suggestions while any text is allowed
type AnyText = string & {};

export class Events {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Publishes one event. When it resolves, the event and its deliveries are stored. Repeated by itself after 429, 503,
   * lost connections and timeouts: the event is stored once.
   * @example await posthorn.events.publish({ event: "invoice.paid", data: { object: { invoiceNumber: "INV-00871" } } })
   * @throws PosthornError UNKNOWN_EVENT_TYPE, VALIDATION_ERROR, FORBIDDEN…; when patience ends the last reason, and the
   * event may be stored: call again with the same `idempotencyKey`
   */
  async publish<const Type extends EventType | AnyText, Data extends DataOf<Type>>(
    event: NewEvent<Type, Data>,
    options?: PublishOptions,
  ): Promise<PublishedEvent> {
    return this.publishRaw(jsonBytes(event), options);
  }

  /** Publishes an event that is JSON already, byte for byte. */
  async publishRaw(json: string | Uint8Array, options?: PublishOptions): Promise<PublishedEvent> {
    const body = typeof json === "string" ? new TextEncoder().encode(json) : new Uint8Array(json);
    const answer = await this.#post("/events", body, this.#keyOf(options), options);
    return { ...(answer.data as Omit<PublishedEvent, "replayed">), replayed: answer.replayed };
  }

  /**
   * Publishes many events, in requests of up to 1,000 events and 32 MiB, one after the other.
   * @returns one result for each event, in their order. When a later request fails as a whole, its events and the rest
   * are `refused` with that reason: those with `retryable: true` may be sent again with the same `idempotencyKey`
   * @throws PosthornError when the first request fails as a whole
   */
  async publishBatch(events: readonly NewEvent[], options?: PublishOptions): Promise<BatchResult[]> {
    const key = this.#keyOf(options);
    const results: BatchResult[] = [];
    const parts = splitBatch(events.map((event) => jsonBytes(event)));
    for (const [number, part] of parts.entries()) {
      const offset = results.length;
      try {
        const found = await this.#publishPart(part.body, `${key}.${number}`, options);
        for (const result of found) results.push({ ...result, index: offset + result.index });
      } catch (error) {
        if (!(error instanceof PosthornError) || number === 0) throw error;
        const { code, message, details, retryable } = error;
        const refusal: BatchRefusal = { code, message, details, retryable };
        while (results.length < events.length)
          results.push({ index: results.length, status: "refused", error: refusal });
        return results;
      }
    }
    return results;
  }

  /**
   * One request, sent again whole while some of its events may still be taken: the same bytes under the same key, so
   * that what was stored stays stored once.
   */
  async #publishPart(
    body: Uint8Array<ArrayBuffer>,
    key: string,
    options: PublishOptions | undefined,
  ): Promise<readonly BatchResult[]> {
    let known: readonly BatchResult[] = [];
    return this.#transport.repeat(async () => {
      const answer = await this.#post("/events/batch", body, key, options);
      known = mergeResults(known, (answer.data as { results: BatchResult[] }).results);
      const isOpen = known.some((result) => result.status === "refused" && result.error.retryable);
      return { value: known, again: isOpen };
    }, options?.signal);
  }

  /** Reads an event with its payload and its deliveries, by its id or by the sender's own. */
  get<Data = unknown>(id: string, options?: CallOptions): Promise<EventRecord<Data>> {
    return read(this.#transport, pathOf`/events/${id}`, options);
  }

  /** Lists events, newest first, without their payloads. */
  list(query?: EventQuery, options?: CallOptions): Listing<EventHead> {
    return list(this.#transport, "/events", query, options);
  }

  /** Delivers an event once more, as new deliveries: to one webhook, or to all that match it now. */
  async replay(id: string, to: { readonly webhookId?: string } = {}, options?: CallOptions): Promise<ReplayedEvent> {
    return (await change(this.#transport, "POST", pathOf`/events/${id}/replay`, to, options)).data as ReplayedEvent;
  }

  /** Cancels its pending and held deliveries, or those to one webhook. */
  async cancel(
    id: string,
    what: CancelMany & { readonly webhookId?: string } = {},
    options?: CallOptions,
  ): Promise<CancelledMany> {
    return (await change(this.#transport, "POST", pathOf`/events/${id}/cancel`, what, options)).data as CancelledMany;
  }

  #keyOf(options: PublishOptions | undefined): string {
    const key = options?.idempotencyKey ?? this.#transport.newKey();
    if (typeof key !== "string" || !/^[\x20-\x7e]{1,240}$/.test(key)) {
      throw new InvalidArgument("idempotencyKey: expected 1 to 240 printable ASCII characters.");
    }
    return key;
  }

  #post(
    path: string,
    body: Uint8Array<ArrayBuffer>,
    key: string,
    options: PublishOptions | undefined,
  ): Promise<ApiAnswer> {
    const headers = { "idempotency-key": key };
    return this.#transport.send({ method: "POST", path, body, headers, repeatable: "always", ...callOptions(options) });
  }
}
