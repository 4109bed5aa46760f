// The body of one delivery or batch: the published envelope, another format, or what the webhook's template makes of it,
// with whatever else of the request an event decides. Compiled once for each snapshot of a webhook and event type.
// Must never throw for an event's sake: a template that was stopped is a value.
import type { FieldTags } from "../catalogue/field-tags.ts";
import { Definitions, type DefinitionsSource } from "../expressions/definitions.ts";
import { encodingOf } from "../expressions/encodings.ts";
import { parseKeepingTexts } from "../expressions/payload.ts";
import type { Scope } from "../expressions/scope.ts";
import { type ResourceNames, scopeOfEvent } from "../expressions/scope-of-event.ts";
import { hasExpression } from "../expressions/text-template.ts";
import { millisecondsOfId } from "../lib/id-bounds.ts";
import type { Webhook } from "../storage/configuration.ts";
import { contentTypeOf, type Format } from "../storage/formats.ts";
import { formattedBatch, formattedBody } from "./formats.ts";
import { type BatchIdentity, batchBody, digestBody, type NamedBatch } from "./gather/batch-body.ts";
import { batchScope } from "./gather/batch-scope.ts";
import { EventRedactor, Privacy, type PrivacyRules } from "./privacy.ts";
import type { DeliverableEvent } from "./queue.ts";
import { type Body, type FailedBody, Renderer, type RequestParts } from "./renderer.ts";
import { envelopeOf } from "./request.ts";
import { isPlain, perEventKey, type Shape, shapeOf } from "./shape.ts";

/** A rendering to be done in another thread: plain data. */
export interface RenderJob {
  readonly shape: Shape;
  readonly event: Omit<DeliverableEvent, "data" | "idBytes" | "envelope">;
  readonly names: ResourceNames;
  /** Null: the receiver may see everything. */
  readonly privacy: PrivacyRules | null;
  readonly definitions: DefinitionsSource;
}

/** What comes back of it; bytes lose their class on the way. */
export type RenderedElsewhere = FailedBody | (Omit<BodyOf, "bytes"> & { bytes: Uint8Array });
type BodyOf = Extract<Body, { kind: "body" }>;

export interface BodiesOptions {
  /** How expressions may call the object of an event of this type; compose asks the catalogue. */
  readonly namesOf: (eventType: string) => ResourceNames;
  /** Which fields of an event of this type are tagged; compose asks the catalogue. */
  readonly tagsOf: (eventType: string) => FieldTags;
  /** The rules and code tables of a tenant, as they are now. */
  readonly definitionsOf: (tenantId: Webhook["tenantId"]) => Definitions;
  /** Renders a large event away from the event loop. */
  readonly renderLarge: (data: Uint8Array, job: RenderJob) => Promise<RenderedElsewhere>;
  /** Renders a template for a large batch: the body that it would have without one. */
  readonly renderLargeBatch: (
    body: Uint8Array,
    shape: Shape,
    definitions: DefinitionsSource,
  ) => Promise<RenderedElsewhere>;
}

/** Above this, parsing and rendering take longer than some milliseconds. */
const LARGE_BYTES = 256 * 1024;
const JSON_TYPE = "application/json";

export class Bodies {
  readonly #options: BodiesOptions;
  readonly #privacy: Privacy;
  /** By member of `perEvent`. */
  readonly #renderers = new WeakMap<Webhook, Map<string | null, Renderer>>();
  /**
   * The event rendered last, with its parsed payload: an event's deliveries start one after the other, so this saves
   * nearly every second parse and never keeps more than one small payload alive.
   */
  #latest: { readonly event: DeliverableEvent; readonly scope: Scope; readonly definitions: Definitions } | undefined;

  constructor(options: BodiesOptions) {
    this.#options = options;
    this.#privacy = new Privacy(options.tagsOf);
  }

  /**
   * What is sent for a delivery. Synchronous, except for large events that a template reads; that promise rejects only
   * when the other thread dies. For a plain webhook (`isPlain`) it is `envelopeOf(event)` and nothing else.
   */
  bodyOf(webhook: Webhook, event: DeliverableEvent): Body | Promise<Body> {
    const { namesOf, definitionsOf, renderLarge } = this.#options;
    const renderer = this.#rendererOf(webhook, perEventKey(webhook, event.type));
    const { batchSettings } = webhook;
    if (batchSettings?.enabled === true && batchSettings.per === "batch" && renderer.shape.body.kind === "template") {
      // One that goes by itself all the same: the template knows batches only, so it is one of one.
      const alone = { id: event.publicId, createdAtMs: millisecondsOfId(event.idBytes) };
      return this.#wholeBatch(webhook, renderer, alone, [this.#privacy.seenBy(webhook, event)]);
    }
    if (event.data.byteLength > LARGE_BYTES && (renderer.readsEvents || webhook.privacy !== null)) {
      const { publicId, type, timestamp, livemode, retentionClass, context } = event;
      return renderLarge(event.data, {
        shape: renderer.shape,
        event: { publicId, type, timestamp, livemode, retentionClass, context },
        names: namesOf(type),
        definitions: definitionsOf(webhook.tenantId).source,
        privacy: this.#privacy.redactorOf(webhook, type)?.rules ?? null,
      }).then(hereAgain);
    }
    const seen = this.#privacy.seenBy(webhook, event);
    return renderer.render(seen, () => this.#scopeOf(webhook, seen));
  }

  /**
   * The body of a batch or a digest: what each event would be by itself, what the template makes of the batch as a whole
   * (`batchSettings.per`), or the events' counts. A promise where something large is rendered.
   */
  batchBodyOf(webhook: Webhook, batch: BatchIdentity, events: readonly DeliverableEvent[]): Body | Promise<Body> {
    if (isPlain(webhook)) {
      const bytes = batch.kind === "digest" ? digestBody(batch, events) : batchBody(batch, events.map(envelopeOf));
      return { kind: "body", bytes, warnings: null, parts: null };
    }
    const renderer = this.#rendererOf(webhook, null);
    const { body } = renderer.shape;
    const problem = noBatchBecause(renderer.shape, webhook.batchSettings?.per === "batch" || batch.kind === "digest");
    if (problem !== null) return problem;
    if (batch.kind === "digest") {
      const keepsType = body.kind === "template" && encodingOf(body.contentType) === "json";
      const parts = keepsType ? null : partsOfType(webhook, JSON_TYPE);
      return { kind: "body", bytes: digestBody(batch, events), warnings: null, parts };
    }
    if (body.kind === "format" || webhook.batchSettings?.per === "batch") {
      const seen = events.map((event) => this.#privacy.seenBy(webhook, event));
      if (body.kind === "template") return this.#wholeBatch(webhook, renderer, batch, seen);
      return formatBatch(webhook, batch, seen, body.format, renderer.shape.source);
    }
    const parts = events.map((event) => this.bodyOf(webhook, event));
    return parts.some((part) => part instanceof Promise)
      ? Promise.all(parts.map((part) => Promise.resolve(part))).then((rendered) => joinedBody(batch, rendered))
      : joinedBody(batch, parts as Body[]);
  }

  #wholeBatch(
    { tenantId }: Webhook,
    renderer: Renderer,
    batch: NamedBatch,
    events: readonly DeliverableEvent[],
  ): Body | Promise<Body> {
    const bytes = batchBody(batch, events.map(envelopeOf));
    const definitions = this.#options.definitionsOf(tenantId);
    if (bytes.length > LARGE_BYTES) {
      return this.#options.renderLargeBatch(bytes, renderer.shape, definitions.source).then(hereAgain);
    }
    return renderer.whole(batchScope(bytes, definitions), null);
  }

  #rendererOf(webhook: Webhook, key: string | null): Renderer {
    let known = this.#renderers.get(webhook);
    if (known === undefined) {
      known = new Map();
      this.#renderers.set(webhook, known);
    }
    let renderer = known.get(key);
    if (renderer === undefined) {
      renderer = new Renderer(shapeOf(webhook, key));
      known.set(key, renderer);
    }
    return renderer;
  }

  #scopeOf({ tenantId }: Webhook, event: DeliverableEvent): Scope {
    const definitions = this.#options.definitionsOf(tenantId);
    if (this.#latest?.event === event && this.#latest.definitions === definitions) return this.#latest.scope;
    const scope = scopeOfEvent(event, this.#options.namesOf(event.type), definitions, parseKeepingTexts);
    this.#latest = { event, scope, definitions };
    return scope;
  }
}

/** The task of the other thread. */
export function renderJob(data: Uint8Array, { shape, event, names, definitions, privacy }: RenderJob): Body {
  const given = { ...event, data, idBytes: NO_ID };
  const whole = privacy === null ? given : new EventRedactor(privacy).redact(given);
  const scopeOf = () => scopeOfEvent(whole, names, new Definitions(definitions), parseKeepingTexts);
  return new Renderer(shape).render(whole, scopeOf);
}

/** No format reads it. */
const NO_ID = new Uint8Array(16);

/** The same for a template that is filled for a whole batch. */
export function renderBatchJob(body: Uint8Array, shape: Shape, definitions: DefinitionsSource): Body {
  return new Renderer(shape).whole(batchScope(body, new Definitions(definitions)), null);
}

function hereAgain(rendered: RenderedElsewhere): Body {
  return rendered.kind === "body" ? { ...rendered, bytes: bufferOf(rendered.bytes) } : rendered;
}

function formatBatch(
  webhook: Webhook,
  batch: BatchIdentity,
  events: readonly DeliverableEvent[],
  format: Format,
  source: string,
): Body {
  // Batches of binary CloudEvents cannot be saved; one that was stored before a change goes as its events would together.
  const batchFormat = format === "cloudEventsBinary" ? "cloudEvents" : format;
  const formatted = formattedBatch(batchFormat, events, source);
  if (formatted !== null) {
    const parts = partsOfType(webhook, formatted.contentType);
    return { kind: "body", bytes: formatted.bytes, warnings: null, parts };
  }
  const isEmpty = format === "none";
  const bodies = events.map((event) => formattedBody(format, event, source));
  const bytes = isEmpty ? Buffer.alloc(0) : batchBody(batch, bodies);
  return { kind: "body", bytes, warnings: null, parts: partsOfType(webhook, isEmpty ? null : JSON_TYPE) };
}

/** What cannot be saved together; a batch that was stored before a change of its webhook may meet it all the same. */
function noBatchBecause({ body, url, headers }: Shape, isOneText: boolean): FailedBody | null {
  const place = [url, ...headers].find(({ text }) => hasExpression(text));
  const isNoJson = body.kind === "template" && !isOneText && encodingOf(body.contentType) !== "json";
  if (place === undefined && !isNoJson) return null;
  return {
    kind: "failed",
    field: place?.field ?? "transform.contentType",
    path: "",
    code: "NOT_IN_A_BATCH",
    message: "This is made of single events, and these were put into one batch before it was said.",
  };
}

/** A batch's parts: only its media type can be another than the webhook's. */
function partsOfType(webhook: Webhook, contentType: string | null): RequestParts | null {
  if (contentType === contentTypeOf(webhook.format, webhook.transform)) return null;
  return { url: webhook.url, method: webhook.method, contentType, headers: [] };
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
  return { kind: "body", bytes, warnings: told.length === 0 ? null : told, parts: null };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
