// The body of one delivery: the published envelope, or what the webhook's template makes of the event. Compiled once
// for each snapshot of a webhook. Must never throw for an event's sake: a template that was stopped is a value.
import { type MissingValue, Template, compileTemplate } from "../expressions/template.ts";
import { parseKeepingTexts } from "../expressions/payload.ts";
import type { Scope } from "../expressions/scope.ts";
import { type ResourceNames, scopeOfEvent } from "../expressions/scope-of-event.ts";
import { millisecondsOfId } from "../lib/id-bounds.ts";
import type { Webhook } from "../storage/configuration.ts";
import { type BatchIdentity, batchBody, digestBody, type NamedBatch } from "./gather/batch-body.ts";
import { batchScope } from "./gather/batch-scope.ts";
import type { DeliverableEvent } from "./queue.ts";
import { envelopeOf } from "./request.ts";

/** What becomes of an event for one webhook. */
export type Body =
  /** `warnings` is null unless the template found no value for some of its parts. */
  | { readonly kind: "body"; readonly bytes: Buffer; readonly warnings: readonly MissingValue[] | null }
  /**
   * The template went beyond its limits on this event (or no longer compiles). That is the same at every try: the
   * delivery is held until the template or a person changes it. `path` is the place in the template.
   */
  | { readonly kind: "failed"; readonly path: string; readonly code: string; readonly message: string };

/** A rendering to be done in another thread: plain data. */
export interface RenderJob {
  readonly template: unknown;
  readonly event: Omit<DeliverableEvent, "data" | "idBytes" | "envelope">;
  readonly names: ResourceNames;
}

/** What comes back of it; bytes lose their class on the way. */
export type RenderedElsewhere = Exclude<Body, { kind: "body" }> | (Omit<BodyOf, "bytes"> & { bytes: Uint8Array });
type BodyOf = Extract<Body, { kind: "body" }>;

export interface BodiesOptions {
  /** How expressions may call the object of an event of this type; compose asks the catalogue. */
  readonly namesOf: (eventType: string) => ResourceNames;
  /** Renders a large event away from the event loop. */
  readonly renderLarge: (data: Uint8Array, job: RenderJob) => Promise<RenderedElsewhere>;
  /** Renders a template for a large batch: the body that it would have without one. */
  readonly renderLargeBatch: (body: Uint8Array, template: unknown) => Promise<RenderedElsewhere>;
}

/** Above this, parsing and rendering take longer than some milliseconds. */
const LARGE_BYTES = 256 * 1024;

export class Bodies {
  readonly #options: BodiesOptions;
  readonly #templates = new WeakMap<Webhook, Template | FailedBody>();
  /**
   * The event rendered last, with its parsed payload: an event's deliveries start one after the other, so this saves
   * nearly every second parse and never keeps more than one small payload alive.
   */
  #latest: { readonly event: DeliverableEvent; readonly scope: Scope } | undefined;

  constructor(options: BodiesOptions) {
    this.#options = options;
  }

  /**
   * The body of a delivery. Synchronous, except for large events with a template; that promise rejects only when the
   * other thread dies. Ask only where `webhook.transform` is set: otherwise it is `envelopeOf(event)`.
   */
  bodyOf(webhook: Webhook, event: DeliverableEvent): Body | Promise<Body> {
    if (webhook.transform === null) return { kind: "body", bytes: envelopeOf(event), warnings: null };
    const { namesOf, renderLarge } = this.#options;
    const { batchSettings } = webhook;
    if (batchSettings?.enabled === true && batchSettings.per === "batch") {
      // One that goes by itself all the same: the template knows batches only, so it is one of one.
      const alone = { id: event.publicId, createdAtMs: millisecondsOfId(event.idBytes) };
      return this.#wholeBatch(webhook.transform.template, webhook, alone, [event]);
    }
    if (event.data.byteLength > LARGE_BYTES) {
      const { publicId, type, timestamp, livemode, retentionClass, context } = event;
      return renderLarge(event.data, {
        template: webhook.transform.template,
        event: { publicId, type, timestamp, livemode, retentionClass, context },
        names: namesOf(type),
      }).then(hereAgain);
    }
    const template = this.#templateOf(webhook, webhook.transform.template);
    return template instanceof Template ? bodyFrom(template, this.#scopeOf(event)) : template;
  }

  /**
   * The body of a batch or a digest: the events' envelopes, what the template makes of each of them or of the batch as a
   * whole (`batchSettings.per`), or their counts. A promise where something large is rendered.
   */
  batchBodyOf(webhook: Webhook, batch: BatchIdentity, events: readonly DeliverableEvent[]): Body | Promise<Body> {
    if (batch.kind === "digest") return { kind: "body", bytes: digestBody(batch, events), warnings: null };
    if (webhook.transform === null) {
      return { kind: "body", bytes: batchBody(batch, events.map(envelopeOf)), warnings: null };
    }
    if (webhook.batchSettings?.per === "batch")
      return this.#wholeBatch(webhook.transform.template, webhook, batch, events);
    const parts = events.map((event) => this.bodyOf(webhook, event));
    return parts.some((part) => part instanceof Promise)
      ? Promise.all(parts.map((part) => Promise.resolve(part))).then((rendered) => joinedBody(batch, rendered))
      : joinedBody(batch, parts as Body[]);
  }

  #wholeBatch(
    source: unknown,
    webhook: Webhook,
    batch: NamedBatch,
    events: readonly DeliverableEvent[],
  ): Body | Promise<Body> {
    const bytes = batchBody(batch, events.map(envelopeOf));
    if (bytes.length > LARGE_BYTES) return this.#options.renderLargeBatch(bytes, source).then(hereAgain);
    const template = this.#templateOf(webhook, source);
    return template instanceof Template ? bodyFrom(template, batchScope(bytes)) : template;
  }

  #templateOf(webhook: Webhook, source: unknown): Template | FailedBody {
    const known = this.#templates.get(webhook);
    if (known !== undefined) return known;
    const compiled = compiledOrFailed(source);
    this.#templates.set(webhook, compiled);
    return compiled;
  }

  #scopeOf(event: DeliverableEvent): Scope {
    if (this.#latest?.event === event) return this.#latest.scope;
    const scope = scopeOfEvent(event, this.#options.namesOf(event.type), parseKeepingTexts);
    this.#latest = { event, scope };
    return scope;
  }
}

type FailedBody = Extract<Body, { kind: "failed" }>;

/** The task of the other thread. */
export function renderJob(data: Uint8Array, { template: source, event, names }: RenderJob): Body {
  const template = compiledOrFailed(source);
  if (!(template instanceof Template)) return template;
  return bodyFrom(template, scopeOfEvent({ ...event, data }, names, parseKeepingTexts));
}

/** The same for a template that is filled for a whole batch. */
export function renderBatchJob(body: Uint8Array, source: unknown): Body {
  const template = compiledOrFailed(source);
  return template instanceof Template ? bodyFrom(template, batchScope(body)) : template;
}

function hereAgain(rendered: RenderedElsewhere): Body {
  return rendered.kind === "body" ? { ...rendered, bytes: bufferOf(rendered.bytes) } : rendered;
}

/** Told with a batch's attempt; more would only say the same of the next event. */
const MAX_WARNINGS = 20;

function joinedBody(batch: BatchIdentity, parts: readonly Body[]): Body {
  const bodies: BodyOf[] = [];
  for (const part of parts) {
    if (part.kind === "failed") return part;
    bodies.push(part);
  }
  const warnings = bodies.flatMap((body) => body.warnings ?? []);
  const told = [...new Map(warnings.map((warning) => [warning.path, warning])).values()].slice(0, MAX_WARNINGS);
  const bytes = batchBody(
    batch,
    bodies.map((body) => body.bytes),
  );
  return { kind: "body", bytes, warnings: told.length === 0 ? null : told };
}

function compiledOrFailed(source: unknown): Template | FailedBody {
  const compiled = compileTemplate(source);
  if (compiled.ok) return compiled.template;
  // Checked when it was saved: only another version of this program can have let it through.
  const { path, code, message } = compiled.errors[0] ?? { path: "", code: "EVALUATION_FAILED", message: "" };
  return { kind: "failed", path, code, message };
}

function bodyFrom(template: Template, scope: Scope): Body {
  const rendering = template.render(scope);
  if (!rendering.ok) {
    const { path, code, message } = rendering;
    return { kind: "failed", path, code, message };
  }
  const warnings = rendering.missing.length === 0 ? null : rendering.missing;
  return { kind: "body", bytes: Buffer.from(rendering.json, "utf8"), warnings };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
