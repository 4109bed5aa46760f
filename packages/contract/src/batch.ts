// Bodies that stand for many events: a batch holds their envelopes, a digest only counts them. Must never parse or
// re-serialise an event: envelopes are copied byte for byte.

/** What `X-BigLedger-Event` says of a request that stands for many events. */
export const BATCH_EVENT = "batch";
export const DIGEST_EVENT = "digest";

/** The text before the first event of a batch; between two events stands a comma. */
export const BATCH_BEFORE_EVENTS = '{"batch":true,"events":[';

/** The text after the last event of a batch. */
export function batchAfterEvents(batchId: string, batchTimestamp: string): string {
  return `],"batchId":"${batchId}","batchTimestamp":"${batchTimestamp}"}`;
}

/** What a digest says of one event type. */
export interface DigestedType {
  readonly event: string;
  readonly count: number;
  readonly firstId: string;
  readonly lastId: string;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
}

/** A digest: how many events of which types there were. The events themselves can be read through the API. */
export interface DigestBody {
  readonly digest: true;
  readonly eventCount: number;
  /** In the order in which each type came first. */
  readonly eventTypes: readonly DigestedType[];
  readonly livemode: boolean;
  readonly api_version: "v1";
  readonly batchId: string;
  /** When it was made: ISO 8601, UTC. */
  readonly batchTimestamp: string;
}
