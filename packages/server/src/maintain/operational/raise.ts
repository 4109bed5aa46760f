// Makes operational events of the notices that statements left: an ordinary event each, or one for many together.
// Survives a crash at any point: a bundle is decided in the table, and its id is the event's idempotency key. Must never
// raise an event twice, and never lose one because the database was away.
import { type Id, idFromUuid } from "@posthorn/contract";
import { millisecondsOfUuid } from "../../lib/id-bounds.ts";
import { isoTime } from "../../lib/iso-time.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Executor } from "../../storage/pools.ts";
import { NAMED_DELIVERIES } from "../../storage/notices.sql.ts";
import {
  type BundleRow,
  bundleNotices,
  deleteNotices,
  type DigestNote,
  hasNotices,
  markRaised,
  selectBundles,
} from "./raise.sql.ts";

export interface OperationalEvent {
  readonly tenantId: Id<"tenant">;
  readonly tenantUuid: string;
  readonly livemode: boolean;
  readonly retentionClass: number;
  /** The same event is never stored twice under one key. */
  readonly idempotencyKey: string;
  /** As a sender would post it. */
  readonly body: Buffer;
}

/** Declared here, made by capture. `later`: not now, the database is away. */
export type PublishOperational = (event: OperationalEvent) => Promise<"stored" | "later">;

export interface RaiseOptions {
  readonly engine: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly publish: PublishOperational;
  /** A mail server is set. */
  readonly isMailPossible: boolean;
  /** Whether a webhook of its tenant and mode asks for events of its type. */
  readonly hasListener: (bundle: Pick<BundleRow, "tenant_id" | "livemode" | "type">) => Promise<boolean>;
}

/** Events about deliveries of one webhook come at once, and then at most this often. */
export const QUIET_MS = 60_000;
const BUNDLES_PER_READ = 100;

/** Raises what there is; how many events. */
export async function raiseOperationalEvents(options: RaiseOptions): Promise<number> {
  const { engine, clock, log, publish } = options;
  if (!(await hasNotices(engine))) return 0;
  await bundleNotices(engine, clock.nowMs(), QUIET_MS);
  let raisedCount = 0;
  for (;;) {
    const bundles = await selectBundles(engine, BUNDLES_PER_READ);
    for (const bundle of bundles) {
      const event = eventOf(bundle);
      // There may be one for each delivery: they are stored where somebody listens.
      if (bundle.type === "delivery.acknowledged" && !(await options.hasListener(bundle))) {
        await markRaised(engine, bundle, clock.nowMs(), null);
        continue;
      }
      const answer = await publish({
        tenantId: idFromUuid("tenant", bundle.tenant_id),
        tenantUuid: bundle.tenant_id,
        livemode: bundle.livemode,
        retentionClass: bundle.retention_class,
        idempotencyKey: `posthorn-notice-${bundle.bundle_id}`,
        body: Buffer.from(JSON.stringify(event), "utf8"),
      });
      if (answer === "later") {
        log.warn("operational events could not be stored; they are raised later");
        return raisedCount;
      }
      await markRaised(engine, bundle, clock.nowMs(), noteOf(bundle, event, options.isMailPossible));
      raisedCount += 1;
    }
    if (bundles.length < BUNDLES_PER_READ) break;
  }
  await deleteNotices(engine, clock.nowMs(), QUIET_MS);
  return raisedCount;
}

/** What sandboxes do wakes nobody. */
function noteOf(bundle: BundleRow, event: OperationalBody, isMailPossible: boolean): DigestNote | null {
  // An acknowledgement is what the sender waits for; nobody has to do anything.
  return bundle.livemode && bundle.type !== "delivery.acknowledged"
    ? { isMailPossible, object: event.data.object }
    : null;
}

interface OperationalBody {
  readonly event: string;
  readonly timestamp: string;
  readonly data: { readonly object: Record<string, unknown>; readonly previous?: Record<string, unknown> };
  readonly context: Record<string, unknown>;
}

/** The event as it is published. */
export function eventOf(bundle: BundleRow): OperationalBody {
  const { type, at, webhook_id: webhookUuid } = bundle;
  const isAboutDeliveries = type.startsWith("delivery.") || type.startsWith("key.");
  const object = isAboutDeliveries
    ? deliveriesObject(bundle)
    : type.startsWith("module.")
      ? moduleObject(bundle)
      : webhookObject(bundle);
  const previous = previousOf(bundle);
  return {
    event: type,
    timestamp: at.toISOString(),
    data: { object, ...(previous === null ? {} : { previous }) },
    context: { source: "posthorn", ...(webhookUuid === null ? {} : { webhookId: idFromUuid("webhook", webhookUuid) }) },
  };
}

function nameOf({ webhook }: BundleRow): string | null {
  return webhook?.name ?? null;
}

function deliveriesObject(bundle: BundleRow): Record<string, unknown> {
  const { count, details, type, webhook } = bundle;
  const expireMs = type === "delivery.expiring" ? (webhook?.expireAfter ?? 0) * 1_000 : null;
  const named = details
    .flatMap((detail) => (detail["deliveries"] ?? []) as readonly NoticedDelivery[])
    .slice(0, type === "delivery.acknowledged" ? details.length * MAX_ACKNOWLEDGED : NAMED_DELIVERIES)
    .map(({ id, eventId, senderId, event, reference, reason, orderingKey, extracted }) => ({
      id: idFromUuid("delivery", id),
      eventId: senderId ?? idFromUuid("event", eventId),
      event,
      reference,
      ...(extracted === undefined ? { reason } : { extracted }),
      ...(orderingKey === undefined ? {} : { orderingKey }),
      ...(expireMs === null ? {} : { expiresAt: isoTime(millisecondsOfUuid(id) + expireMs) }),
    }));
  return {
    id: named[0]?.id ?? null,
    webhookId: bundle.webhook_id === null ? null : idFromUuid("webhook", bundle.webhook_id),
    webhookName: nameOf(bundle),
    count,
    ...(expireMs === null
      ? {}
      : { firstExpiresAt: named.map((each) => each.expiresAt ?? "").sort((a, b) => (a < b ? -1 : 1))[0] ?? null }),
    deliveries: named,
    ...(NEXT_STEPS[type] === undefined ? {} : { nextStep: NEXT_STEPS[type] }),
  };
}

interface NoticedDelivery {
  readonly id: string;
  readonly eventId: string;
  readonly senderId: string | null;
  readonly event: string;
  readonly reference: string | null;
  readonly reason: string | null;
  /** Of `key.…`. */
  readonly orderingKey?: string;
  /** Of `delivery.acknowledged`. */
  readonly extracted?: Readonly<Record<string, unknown>>;
}

/** A notice of acknowledgements has a hundred at most. */
const MAX_ACKNOWLEDGED = 100;

const NEXT_STEPS: Readonly<Record<string, string>> = {
  "delivery.dead_lettered": "Run `posthorn diagnose`, then `posthorn retry --dead-letters-of` this webhook.",
  "delivery.expiring": "Run `posthorn diagnose`; when the receiver works, `posthorn retry --waiting-of` this webhook.",
  "key.parked": "Run `posthorn parked-keys` to see why, then retry, correct or skip what holds each key.",
  "module.silent": "Look whether it still runs and reaches Posthorn; `posthorn modules` shows all.",
  "webhook.health_changed": "Run `posthorn diagnose` for this webhook.",
  "webhook.disable_announced": "Run `posthorn diagnose` for this webhook.",
  "webhook.disabled": "When the receiver works, set `active` to true, then replay what it missed.",
  "webhook.certificate_expiring": "Renew the certificate on the receiver's server.",
};

function moduleObject({ type, livemode, details }: BundleRow): Record<string, unknown> {
  const { name, ...others } = details.at(-1) ?? {};
  const nextStep = NEXT_STEPS[type];
  const id = `${String(others["kind"])}_${String(name).replaceAll(/[^A-Za-z0-9]+/g, "_")}`;
  return { id, name, ...others, livemode, ...(nextStep === undefined ? {} : { nextStep }) };
}

/** The latest notice of a bundle says how it is. */
function webhookObject(bundle: BundleRow): Record<string, unknown> {
  const { type, livemode, webhook } = bundle;
  const {
    status: health,
    previousStatus: _before,
    ...others
  } = (bundle.details.at(-1) ?? {}) as Record<string, unknown>;
  const isWell = type === "webhook.health_changed" && health === "healthy";
  return {
    id: bundle.webhook_id === null ? null : idFromUuid("webhook", bundle.webhook_id),
    name: nameOf(bundle),
    // Paths of URLs may hold what is secret.
    host: webhook === null ? null : hostOf(webhook.url),
    livemode,
    // What the event is about counts, not what became of it since.
    status: type === "webhook.disabled" ? "disabled" : (webhook?.status ?? null),
    ...(type === "webhook.health_changed" ? { health } : {}),
    ...others,
    ...(isWell || NEXT_STEPS[type] === undefined ? {} : { nextStep: NEXT_STEPS[type] }),
  };
}

function previousOf({ type, details }: BundleRow): Record<string, unknown> | null {
  if (type === "webhook.disabled") return { status: "enabled" };
  if (type !== "webhook.health_changed") return null;
  return { health: details[0]?.["previousStatus"] ?? null };
}

function hostOf(url: string): string | null {
  try {
    return new URL(url).host;
  } catch {
    return null;
  }
}
