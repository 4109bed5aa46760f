// How much capture takes in at once: bytes on the way for the whole node and for each tenant, events a second for each
// key and tenant. Must refuse before a body is read, and must give back exactly what it took.
import { LRUCache } from "lru-cache";
import { Gcra } from "../lib/gcra.ts";

export type Admission =
  | { readonly outcome: "admitted" }
  /** This node is full: 503. */
  | { readonly outcome: "overloaded"; readonly retryAfterSeconds: number }
  /** This tenant or key is over its share: 429. */
  | { readonly outcome: "limited"; readonly retryAfterSeconds: number; readonly what: string };

export interface AdmissionLimits {
  /** Bytes of request bodies between the first byte read and the answer. */
  readonly maxBytes: number;
  /** Of these, how many one tenant may hold. */
  readonly maxBytesPerTenant: number;
}

export const DEFAULT_ADMISSION_LIMITS: AdmissionLimits = {
  maxBytes: 256 * 1024 * 1024,
  maxBytesPerTenant: 128 * 1024 * 1024,
};

/** Who asks, and what it may have: events a second, null for no limit. */
export interface AdmissionSubject {
  readonly tenantId: string;
  readonly keyId: string;
  readonly captureLimitPerSecond: number | null;
  readonly tenantCaptureLimitPerSecond: number | null;
}

const ADMITTED: Admission = { outcome: "admitted" };
const LIMITERS_KEPT = 20_000;

export class AdmissionControl {
  readonly #limits: AdmissionLimits;
  readonly #nowMs: () => number;
  readonly #bytesByTenant = new Map<string, number>();
  readonly #limiters = new LRUCache<string, { perSecond: number; gcra: Gcra }>({ max: LIMITERS_KEPT });
  #bytes = 0;

  /** @param nowMs monotonic */
  constructor(nowMs: () => number, limits: AdmissionLimits = DEFAULT_ADMISSION_LIMITS) {
    this.#nowMs = nowMs;
    this.#limits = limits;
  }

  get bytesHeld(): number {
    return this.#bytes;
  }

  /** Reserves the bytes of one request; `release` gives them back. */
  reserve(tenantId: string, byteLength: number): Admission {
    if (this.#bytes + byteLength > this.#limits.maxBytes) return { outcome: "overloaded", retryAfterSeconds: 1 };
    const held = this.#bytesByTenant.get(tenantId) ?? 0;
    if (held + byteLength > this.#limits.maxBytesPerTenant) {
      return { outcome: "limited", retryAfterSeconds: 1, what: "bytes on their way for this tenant" };
    }
    this.#bytes += byteLength;
    this.#bytesByTenant.set(tenantId, held + byteLength);
    return ADMITTED;
  }

  release(tenantId: string, byteLength: number): void {
    this.#bytes -= byteLength;
    const held = (this.#bytesByTenant.get(tenantId) ?? 0) - byteLength;
    if (held > 0) this.#bytesByTenant.set(tenantId, held);
    else this.#bytesByTenant.delete(tenantId);
  }

  /** Asks for `count` events against the limits of key and tenant. A burst of one second's worth is let through. */
  countEvents(subject: AdmissionSubject, count: number): Admission {
    const { captureLimitPerSecond, tenantCaptureLimitPerSecond } = subject;
    if (captureLimitPerSecond === null && tenantCaptureLimitPerSecond === null) return ADMITTED;
    return (
      this.#take(subject.keyId, "events a second for this API key", captureLimitPerSecond, count) ??
      this.#take(subject.tenantId, "events a second for this tenant", tenantCaptureLimitPerSecond, count) ??
      ADMITTED
    );
  }

  #take(id: string, what: string, perSecond: number | null, count: number): Admission | null {
    if (perSecond === null) return null;
    let limiter = this.#limiters.get(id);
    if (limiter === undefined || limiter.perSecond !== perSecond) {
      limiter = { perSecond, gcra: new Gcra(perSecond, 1_000, perSecond - 1) };
      this.#limiters.set(id, limiter);
    }
    const waitMs = limiter.gcra.take(this.#nowMs(), count);
    if (waitMs === 0) return null;
    return { outcome: "limited", retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1_000)), what };
  }
}
