// The endpoints that this node sends to: the breaker and the health of each, in the memory of the lane's owner. Answers
// how many requests may start, and until when none may; writes down what others have to know. Must never delay a
// request of a healthy endpoint, nor hold anything for which no time is known when it goes on.
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { SendResult } from "../security/outbound/result.ts";
import type { Webhook } from "../storage/configuration.ts";
import { Breaker, type BreakerTimings, type Sign } from "./breaker.ts";
import type { Outcome } from "./decide.ts";
import { reasonOf } from "./diagnose-words.ts";
import { type HealthRow, type StoredHealthRow } from "./endpoints.sql.ts";
import { Health } from "./health.ts";
import { parseRetryAfter } from "./retry-policy.ts";
import type { Standing } from "./slots.ts";

/** One finished request of a webhook. */
export interface EndpointResult {
  readonly webhook: Webhook;
  readonly outcome: Outcome;
  readonly result: SendResult;
  /** The event is one that Posthorn raised itself: what comes of it raises no further one. */
  readonly isOperational: boolean;
  readonly endedAtMs: number;
}

export interface EndpointsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly timings?: BreakerTimings;
  /** Reads what earlier owners of these lanes wrote down. */
  readonly load: (lanes: readonly number[]) => Promise<readonly StoredHealthRow[]>;
  /** Writes rows down; a rejection is tried again. */
  readonly store: (rows: readonly HealthRow[]) => Promise<void>;
}

interface Endpoint {
  webhook: Webhook;
  readonly breaker: Breaker;
  readonly health: Health;
  certificateExpiresAtMs: number | null;
  /** The latest change of status came from an attempt that may raise an event. */
  mayRaise: boolean;
  /** The row does not say what is known here. */
  isDirty: boolean;
}

/** A change of status or phase is written after this; others of the same moment go along. */
const SOON_MS = 100;
/** What only counts on is written this often. */
const LATER_MS = 10_000;
const STORE_RETRY_MS = 1_000;
const ROWS_PER_STORE = 1_000;
/** Endpoints that nothing would be lost of are looked for when there are so many. */
const SWEEP_AT_COUNT = 5_000;
/** A half-open breaker's first rows: the oldest may be one that may not start yet. */
const MIN_ROWS = 50;

export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #endpoints = new Map<string, Endpoint>();
  /** Those whose breaker is not closed: what the hot path looks into is empty as long as all is well. */
  readonly #shut = new Map<string, Endpoint>();
  readonly #dirty = new Set<Endpoint>();
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #storing: Promise<void> | undefined;
  #sweepAtCount = SWEEP_AT_COUNT;
  #stopped = false;

  constructor(options: EndpointsOptions) {
    this.#options = options;
  }

  // --- asked by dispatch, refill, intake and slots -------------------------------------------------------------------

  /** How many requests may start beside those under way. */
  room(webhook: Webhook, inFlightCount: number): number {
    const endpoint = this.#shut.get(webhook.id);
    return endpoint === undefined
      ? Number.POSITIVE_INFINITY
      : endpoint.breaker.room(this.#options.clock.nowMs(), inFlightCount);
  }

  /** Until then (estimated database time) nothing may start; 0 when something may. */
  restUntilMs(webhook: Webhook): number {
    const breaker = this.#shut.get(webhook.id)?.breaker;
    return breaker === undefined ? 0 : breaker.restUntilMs(this.#options.clock.nowMs());
  }

  /** True while its deliveries wait in the table rather than in memory. */
  holdsBack(webhook: Webhook): boolean {
    return this.#shut.has(webhook.id);
  }

  /** How many of its deliveries are worth having in memory. */
  wantedRows(webhook: Webhook): number {
    const breaker = this.#shut.get(webhook.id)?.breaker;
    return breaker === undefined ? Number.POSITIVE_INFINITY : Math.max(MIN_ROWS, breaker.limit * 2);
  }

  /** What it is known for: endpoints that are not known to work together get a small part of the node's slots. */
  standing(webhook: Webhook): Standing {
    const breaker = this.#endpoints.get(webhook.id)?.breaker;
    if (breaker === undefined) return "unproven";
    if (breaker.isUnhealthy) return "unhealthy";
    return breaker.isProven ? "proven" : "unproven";
  }

  // --- told ----------------------------------------------------------------------------------------------------------

  /**
   * What came of a check while nothing was sent. Whoever refuses a test is there all the same; and where nothing waits,
   * there is no flood to be ramped up: a success closes the breaker.
   */
  checked(result: EndpointResult): void {
    this.ended(result, true);
  }

  ended({ webhook, outcome, result, isOperational, endedAtMs }: EndpointResult, isCheck = false): void {
    const seen = signOf(outcome, result);
    const sign = isCheck && seen === "answered" ? "success" : seen;
    if (sign === null) return;
    const endpoint = this.#of(webhook, endedAtMs);
    endpoint.webhook = webhook;
    const { breaker, health } = endpoint;
    const phaseBefore = breaker.phase;
    breaker.ended(sign, endedAtMs, webhook.maxInFlight, patienceMs(result, endedAtMs));
    if (isCheck && sign === "success") breaker.close();
    this.#track(endpoint);
    const { phase, openReason } = breaker;
    const hasChanged = health.ended(
      {
        isSuccess: sign === "success",
        isUnreachable: sign === "unreachable",
        reason: sign === "success" ? "" : reasonOf(result),
        phase,
        openReason,
      },
      endedAtMs,
    );
    if (hasChanged) endpoint.mayRaise = !isOperational;
    const expiresAtMs = result.kind === "responded" ? result.certificateExpiresAtMs : null;
    const isOtherCertificate = expiresAtMs !== null && expiresAtMs !== endpoint.certificateExpiresAtMs;
    if (isOtherCertificate) endpoint.certificateExpiresAtMs = expiresAtMs;
    if (phase !== phaseBefore && (phase === "open" || phase === "closed")) this.#logPhase(endpoint);
    if (hasChanged || isOtherCertificate || phase !== phaseBefore) this.#write(endpoint, SOON_MS);
    else if (sign !== "success") this.#write(endpoint, LATER_MS);
  }

  /** Its configuration or its status changed. */
  webhookChanged(webhook: Webhook): void {
    const endpoint = this.#endpoints.get(webhook.id);
    if (endpoint === undefined) return;
    // Enabled again it begins anew: what it did before it was switched off is not held against it.
    if (webhook.status === "disabled" || webhook.status === "deleted") this.#forget(webhook.id, endpoint);
    else this.probeNow(webhook.id);
  }

  /** A person wants it tried, or it may be mended: an open breaker lets a probe go at once. */
  probeNow(webhookId: string): void {
    const endpoint = this.#shut.get(webhookId);
    if (endpoint === undefined || endpoint.breaker.phase !== "open") return;
    endpoint.breaker.openUntilMs = Math.min(endpoint.breaker.openUntilMs, this.#options.clock.nowMs());
    this.#write(endpoint, SOON_MS);
  }

  /**
   * What earlier owners of these lanes wrote down takes effect; what was learnt here meanwhile counts more.
   * @param findWebhook null for one that never existed
   */
  async lanesAcquired(
    lanes: readonly number[],
    findWebhook: (row: StoredHealthRow) => Promise<Webhook | null>,
  ): Promise<void> {
    for (const row of await this.#options.load(lanes)) {
      const webhook = await findWebhook(row);
      if (webhook === null || webhook.status === "deleted" || this.#shut.has(webhook.id)) continue;
      const endpoint: Endpoint = {
        webhook,
        // Its last attempts failed: whoever goes on begins with one, and needs no three good probes first.
        breaker: Breaker.restored(
          webhook.bytes,
          {
            phase: row.phase === "closed" && row.failure_count > 0 ? "ramping" : row.phase,
            openReason: row.open_reason,
            openCount: row.open_count,
            openUntilMs: row.open_until_ms ?? 0,
          },
          this.#options.timings,
        ),
        health: Health.restored({
          status: row.status,
          score: row.score,
          sinceMs: row.since_ms,
          reason: row.reason,
          failingSinceMs: row.failing_since_ms,
          lastSuccessMs: row.last_success_ms,
          lastFailureMs: row.last_failure_ms,
          failureCount: row.failure_count,
        }),
        certificateExpiresAtMs: row.certificate_expires_ms,
        mayRaise: true,
        isDirty: false,
      };
      this.#endpoints.set(webhook.id, endpoint);
      this.#track(endpoint);
    }
  }

  /** These lanes were given away; what is not written yet is written first, by `flush`. */
  forgetLanes(lanes: readonly number[]): void {
    const gone = new Set(lanes);
    for (const [id, endpoint] of this.#endpoints) if (gone.has(endpoint.webhook.lane)) this.#forget(id, endpoint);
  }

  forgetAll(): void {
    this.#endpoints.clear();
    this.#shut.clear();
    this.#dirty.clear();
  }

  /** Writes everything that is not written yet. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    await this.#storing;
    if (this.#dirty.size > 0) await this.#store();
  }

  /** Nothing is written by itself from now on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.flush();
    clearTimeout(this.#timer);
  }

  // --- inside --------------------------------------------------------------------------------------------------------

  #of(webhook: Webhook, nowMs: number): Endpoint {
    const present = this.#endpoints.get(webhook.id);
    if (present !== undefined) return present;
    if (this.#endpoints.size >= this.#sweepAtCount) this.#sweep(nowMs);
    const endpoint: Endpoint = {
      webhook,
      breaker: new Breaker(webhook.bytes, this.#options.timings),
      health: new Health(nowMs),
      certificateExpiresAtMs: null,
      mayRaise: true,
      isDirty: false,
    };
    this.#endpoints.set(webhook.id, endpoint);
    // The first word about it: from unknown to whatever it is.
    this.#write(endpoint, LATER_MS);
    return endpoint;
  }

  #track(endpoint: Endpoint): void {
    const { webhook, breaker } = endpoint;
    if (breaker.phase === "closed") this.#shut.delete(webhook.id);
    else this.#shut.set(webhook.id, endpoint);
  }

  #forget(id: string, endpoint: Endpoint): void {
    this.#endpoints.delete(id);
    this.#shut.delete(id);
    this.#dirty.delete(endpoint);
  }

  #sweep(nowMs: number): void {
    for (const [id, endpoint] of this.#endpoints) {
      const isWell = endpoint.health.status === "healthy" && !endpoint.isDirty;
      if (isWell && endpoint.breaker.isForgettable(nowMs)) this.#forget(id, endpoint);
    }
    this.#sweepAtCount = Math.max(SWEEP_AT_COUNT, this.#endpoints.size * 2);
  }

  #logPhase({ webhook, breaker, health }: Endpoint): void {
    const { log, clock } = this.#options;
    if (breaker.phase === "closed") {
      log.info({ webhook: webhook.id }, "an endpoint works again: its breaker is closed");
      return;
    }
    const seconds = Math.round((breaker.openUntilMs - clock.nowMs()) / 1_000);
    log.warn(
      { webhook: webhook.id, reason: health.reason, openCount: breaker.openCount },
      breaker.openReason === "throttled"
        ? `an endpoint asks for patience: its deliveries are held for ${seconds} s`
        : `an endpoint fails: its deliveries are held, the next probe goes in ${seconds} s`,
    );
  }

  #write(endpoint: Endpoint, inMs: number): void {
    endpoint.isDirty = true;
    this.#dirty.add(endpoint);
    this.#storeIn(inMs);
  }

  #storeIn(inMs: number): void {
    const dueMs = this.#options.clock.monotonicMs() + inMs;
    if (this.#stopped || this.#storing !== undefined || this.#timerDueMs <= dueMs) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#timerDueMs = Number.POSITIVE_INFINITY;
      void this.#store();
    }, inMs);
    this.#timer.unref();
  }

  #store(): Promise<void> {
    this.#storing ??= this.#storeOnce().finally(() => {
      this.#storing = undefined;
      if (this.#dirty.size > 0) this.#storeIn(STORE_RETRY_MS);
    });
    return this.#storing;
  }

  async #storeOnce(): Promise<void> {
    while (this.#dirty.size > 0) {
      const chosen = [...this.#dirty].slice(0, ROWS_PER_STORE);
      for (const endpoint of chosen) {
        this.#dirty.delete(endpoint);
        endpoint.isDirty = false;
      }
      try {
        await this.#options.store(chosen.map(rowOf));
      } catch (error) {
        this.#options.log.warn({ err: error }, "the health of endpoints could not be written down; it is tried again");
        for (const endpoint of chosen) {
          if (!this.#endpoints.has(endpoint.webhook.id)) continue;
          endpoint.isDirty = true;
          this.#dirty.add(endpoint);
        }
        return;
      }
    }
  }
}

function rowOf({ webhook, breaker, health, certificateExpiresAtMs, mayRaise }: Endpoint): HealthRow {
  return {
    tenantBytes: webhook.tenantBytes,
    webhookBytes: webhook.bytes,
    lane: webhook.lane,
    livemode: webhook.livemode,
    status: health.status,
    score: Math.round(health.score),
    sinceMs: health.sinceMs,
    reason: health.reason,
    failingSinceMs: health.failingSinceMs,
    lastSuccessMs: health.lastSuccessMs,
    lastFailureMs: health.lastFailureMs,
    failureCount: health.failureCount,
    phase: breaker.phase,
    openReason: breaker.openReason,
    openCount: breaker.openCount,
    openUntilMs: breaker.phase === "open" ? breaker.openUntilMs : null,
    certificateExpiresAtMs,
    mayRaise,
  };
}

/** Statuses by which a receiver refuses us, or is not there, rather than what one request brings. */
const ENDPOINT_STATUSES: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 408, 421, 425, 429]);

/** What an attempt says about the endpoint; null for one that says nothing. */
export function signOf(outcome: Outcome, result: SendResult): Sign | null {
  switch (outcome) {
    case "delivered":
      return "success";
    case "interrupted":
      return null;
    // It took the request, and a rule of the webhook reads a no in what it answered.
    case "rejected_by_rule":
      return "answered";
    case "timed_out":
    case "connection_failed":
    case "tls_failed":
      return "unreachable";
    case "blocked":
      // Our own request was not one: it says nothing about who would have got it.
      return result.kind === "blocked" && result.code === "REQUEST_INVALID" ? null : "unreachable";
    case "gone":
    case "throttled":
    case "invalid_response":
      return "failure";
    case "rejected": {
      const status = result.kind === "responded" ? result.status : 0;
      return status >= 400 && status <= 499 && !ENDPOINT_STATUSES.has(status) ? "answered" : "failure";
    }
    default:
      return outcome satisfies never;
  }
}

/** What 429 or 503 ask for in `Retry-After`; 0 without it. */
function patienceMs(result: SendResult, nowMs: number): number {
  if (result.kind !== "responded" || (result.status !== 429 && result.status !== 503)) return 0;
  const { headers } = result;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i]?.toLowerCase() === "retry-after") return parseRetryAfter(headers[i + 1], nowMs) ?? 0;
  }
  return 0;
}
