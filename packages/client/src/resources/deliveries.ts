// Reading deliveries and their attempts, and trying them again.
import { type CallOptions, jsonBytes, pathOf, type Transport } from "../http/transport.ts";
import type { Listing } from "../listing.ts";
import type {
  BulkResult,
  CancelledDelivery,
  CorrectedDelivery,
  DeadLetter,
  DeadLetterFilter,
  DeliveryQuery,
  DeliveryRecord,
  DeliveryRequest,
  KeyRelease,
  ListedDelivery,
  NewCorrection,
  ParkedKey,
  ParkedKeyFilter,
  RetriedDelivery,
  SkippedDelivery,
} from "../types/delivery.ts";
import { callOptions, change, list, read } from "./read.ts";

export class Deliveries {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Reads a delivery with its attempts and the times of those to come. */
  get(id: string, options?: CallOptions): Promise<DeliveryRecord> {
    return read(this.#transport, pathOf`/deliveries/${id}`, options);
  }

  /** Lists deliveries, newest first. */
  list(query?: DeliveryQuery, options?: CallOptions): Listing<ListedDelivery> {
    return list(this.#transport, "/deliveries", query, options);
  }

  /**
   * Tries a pending, held or dead-lettered delivery now.
   * @throws PosthornError NOT_RETRYABLE when it was delivered or cancelled: replay its event instead
   */
  async retry(id: string, options?: CallOptions): Promise<RetriedDelivery> {
    return (await change(this.#transport, "POST", pathOf`/deliveries/${id}/retry`, undefined, options))
      .data as RetriedDelivery;
  }

  /** Ends a pending or held delivery; it is not tried again. */
  async cancel(id: string, options?: CallOptions): Promise<CancelledDelivery> {
    return (await change(this.#transport, "POST", pathOf`/deliveries/${id}/cancel`, undefined, options))
      .data as CancelledDelivery;
  }

  /**
   * Sends a corrected payload in the place of one that no receiver took, as the same delivery with the same `webhook-id`.
   * @param correction an object, or the bytes of one as JSON where numbers have more digits than JavaScript keeps
   * @throws PosthornError NOT_CORRECTABLE when it is neither held nor a dead letter
   */
  async correct(
    id: string,
    correction: NewCorrection | Uint8Array<ArrayBuffer>,
    options?: CallOptions,
  ): Promise<CorrectedDelivery> {
    const answer = await this.#transport.send({
      method: "POST",
      path: pathOf`/deliveries/${id}/correct`,
      body: correction instanceof Uint8Array ? correction : jsonBytes(correction),
      // The same correction is made once.
      repeatable: "always",
      ...callOptions(options),
    });
    return answer.data as CorrectedDelivery;
  }

  /**
   * Gives up a delivery that holds its key: it becomes a dead letter, and its key goes on.
   * @throws PosthornError NOT_PARKED when it holds no key
   */
  async skip(id: string, options?: CallOptions): Promise<SkippedDelivery> {
    return (await change(this.#transport, "POST", pathOf`/deliveries/${id}/skip`, undefined, options))
      .data as SkippedDelivery;
  }

  /** The request of a delivery as it would be sent now, freshly signed. */
  request(id: string, options?: CallOptions): Promise<DeliveryRequest> {
    return read(this.#transport, pathOf`/deliveries/${id}/request`, options);
  }
}

/** Keys of ordered webhooks that wait for a person. */
export class ParkedKeys {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Lists them, those of the newest deliveries first. */
  list(query?: ParkedKeyFilter & { readonly limit?: number }, options?: CallOptions): Listing<ParkedKey> {
    return list(this.#transport, "/parked-keys", query, options);
  }

  /** Lets up to `limit` of them go (1,000 unless given), the rest when it is called again. */
  async release(what: KeyRelease, options?: CallOptions): Promise<BulkResult> {
    return (await change(this.#transport, "POST", "/parked-keys/release", what, options)).data as BulkResult;
  }
}

/** Dead letters: deliveries that are not tried by themselves any more. */
export class DeadLetters {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Lists dead letters, newest first. */
  list(query?: DeadLetterFilter & { readonly limit?: number }, options?: CallOptions): Listing<DeadLetter> {
    return list(this.#transport, "/dead-letters", query, options);
  }

  /** Tries many of them again now: up to `limit` (1,000 unless given), the rest when it is called again. */
  async retry(
    filter: DeadLetterFilter & { readonly limit?: number; readonly dryRun?: boolean } = {},
    options?: CallOptions,
  ): Promise<BulkResult> {
    return (await change(this.#transport, "POST", "/dead-letters/retry", filter, options)).data as BulkResult;
  }
}
