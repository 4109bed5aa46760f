// What of an event a webhook's receiver may see: tagged fields are dropped or masked before anything is made of it, so
// that no format and no template can send them. Must leave all other bytes as they are.
import { type FieldTags, OBJECTS } from "../catalogue/field-tags.ts";
import { type RedactionRules, Redactor } from "../lib/json/redact.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { PrivacySetting } from "../storage/privacy.ts";
import type { DeliverableEvent } from "./queue.ts";

/** Rules for the two payload members of an event: plain data, so that another thread can have them. */
export interface PrivacyRules {
  readonly data: RedactionRules;
  readonly context: RedactionRules;
}

export function privacyRules(setting: PrivacySetting, tags: FieldTags): PrivacyRules {
  const rules = (fields: FieldTags["paths"]): RedactionRules["paths"] =>
    fields.flatMap(([field, tag]) => {
      const how = setting[tag];
      return how === undefined ? [] : [[field, how] as const];
    });
  const names = rules(tags.names);
  return {
    data: { paths: [...rules(tags.paths), ...Object.entries(setting.fields ?? {})], names },
    context: { paths: rules(tags.context), names },
  };
}

/** The event without what its receiver may not see. The same object where there is nothing of it. */
export class EventRedactor {
  readonly rules: PrivacyRules;
  readonly #data: Redactor;
  readonly #context: Redactor;

  constructor(rules: PrivacyRules) {
    this.rules = rules;
    this.#data = new Redactor(rules.data);
    this.#context = new Redactor(rules.context);
  }

  /** @param found told of each field that is dropped or masked: `customer.email`, `context.ip` */
  redact(event: DeliverableEvent, found?: (path: string) => void): DeliverableEvent {
    const data = bufferOf(event.data);
    const context = event.context === null ? null : bufferOf(event.context);
    const ofContext = found === undefined ? undefined : (path: string) => found(`context.${path}`);
    const seenData = this.#data.redact(data, OBJECTS, found);
    const seenContext = context === null ? null : this.#context.redact(context, [], ofContext);
    if (seenData === data && seenContext === context) return event;
    // The envelope that is kept with the event is of the whole event, which others may see.
    const { envelope: _, ...rest } = event;
    return { ...rest, data: seenData, context: seenContext };
  }
}

/** The redactors of webhooks, and the event that was redacted last: its retries and previews follow one another. */
export class Privacy {
  readonly #fieldTagsOf: (eventType: string) => FieldTags;
  readonly #redactors = new WeakMap<Webhook, Map<string, EventRedactor>>();
  #latest: { readonly webhook: Webhook; readonly event: DeliverableEvent; readonly seen: DeliverableEvent } | undefined;

  constructor(fieldTagsOf: (eventType: string) => FieldTags) {
    this.#fieldTagsOf = fieldTagsOf;
  }

  /** Null: the receiver may see everything. */
  redactorOf(webhook: Webhook, eventType: string): EventRedactor | null {
    if (webhook.privacy === null) return null;
    let known = this.#redactors.get(webhook);
    if (known === undefined) {
      known = new Map();
      this.#redactors.set(webhook, known);
    }
    const resource = eventType.split(".", 1)[0] as string;
    const present = known.get(resource);
    if (present !== undefined) return present;
    const redactor = new EventRedactor(privacyRules(webhook.privacy, this.#fieldTagsOf(eventType)));
    // Types that nobody registered have any names; what a sender can make us keep is bounded.
    if (known.size >= MAX_RESOURCES) known.clear();
    known.set(resource, redactor);
    return redactor;
  }

  /** The event as the webhook's receiver may see it. */
  seenBy(webhook: Webhook, event: DeliverableEvent): DeliverableEvent {
    if (webhook.privacy === null) return event;
    if (this.#latest?.event === event && this.#latest.webhook === webhook) return this.#latest.seen;
    const seen = this.redactorOf(webhook, event.type)?.redact(event) ?? event;
    this.#latest = { webhook, event, seen };
    return seen;
  }
}

const MAX_RESOURCES = 100;

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
